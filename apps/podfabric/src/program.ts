import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { formats } from './output.ts'

/** A command line that was read: the command, its arguments and its options. */
export interface Invocation {
  /** `get`, `node add`. */
  readonly command: string
  readonly args: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
}

/** What reading a command line gave: something to do, or text to print and an exit code. */
export type Reading =
  | { readonly invocation: Invocation }
  | { readonly text: string; readonly exitCode: number }

/** Reads the words after `podfabric`. Nothing is done and nothing is printed. */
export function readCommandLine(words: readonly string[], version: string): Reading {
  let invocation: Invocation | undefined
  let text = ''
  const program = podfabric(version, (found) => {
    invocation = found
  })
  const quiet = (command: Command) => {
    command
      .exitOverride()
      .configureOutput({ writeOut: (line) => (text += line), writeErr: (line) => (text += line) })
    command.commands.forEach(quiet)
  }
  quiet(program)
  try {
    program.parse([...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return { text: text.trimEnd(), exitCode: error.exitCode === 0 ? 0 : 2 }
  }
  return invocation ? { invocation } : { text: program.helpInformation().trimEnd(), exitCode: 0 }
}

function podfabric(version: string, found: (invocation: Invocation) => void): Command {
  const program = new Command('podfabric')
    .description('The Kubernetes pod network on your machine: a simulated cluster, packet by packet.')
    .version(version)
    .showHelpAfterError('(podfabric --help lists the commands, podfabric COMMAND --help explains one)')
    .addHelpText(
      'after',
      examples([
        'demo',
        'up -f manifests/ --nodes 2',
        'ping --all',
        'trace frontend svc/orderservice',
        'down',
      ]),
    )

  const register = (command: Command, name = command.name()) =>
    command.action((...given: unknown[]) => {
      const options = command.opts()
      const args = given
        .slice(0, -2)
        .filter((word) => word !== undefined)
        .map(String)
      found({ command: name, args, options })
    })

  register(
    program
      .command('demo')
      .description('prove each sentence of the network model by packets, in a simulated cluster')
      .option('-f, --file <path...>', 'manifests to use instead of the shipped ones')
      .option('--network <file>', 'network list to use instead of the shipped one')
      .addOption(seed())
      .option('--pcap <file>', 'where the capture file goes', 'podfabric-demo.pcapng'),
  )
  register(
    program
      .command('up')
      .description('start a cluster that stays up, for the other commands to talk to')
      .requiredOption('-f, --file <path...>', 'files and folders with manifests')
      .option('--nodes <n>', 'how many nodes', wholeNumber(1, 250), 2)
      .option(
        '--plugin <name|package|file>',
        'the pod network: a shipped plugin, a package, or a file',
        'flannel',
      )
      .option('--network <file>', 'network list (default: the plugin’s example)')
      .addOption(
        new Option('--kernel <kind>', 'simulated, or namespaces of this machine')
          .choices(['sim', 'linux'])
          .default('sim'),
      )
      .addOption(seed())
      .option('--foreground', 'do not go to the background; end it with Ctrl-C')
      .option('--dns <address:port>', 'also answer DNS queries of this machine there')
      .addHelpText(
        'after',
        examples([
          'up -f shop.yaml',
          'up -f manifests/ --nodes 3 --plugin bridge',
          'up -f shop.yaml --plugin ./my-plugin.js',
        ]),
      ),
  )
  register(program.command('down').description('end the cluster that is up'))
  register(
    program
      .command('apply')
      .description('create or change objects from manifests, all or none')
      .requiredOption('-f, --file <path...>', 'files and folders with manifests'),
  )
  register(
    program
      .command('scale')
      .description('change how many pods a workload has')
      .argument('<kind/name>', 'deployment/web, statefulset/db; deployment/shop/web in namespace shop')
      .argument('<replicas>', 'a whole number', wholeNumber(0, 10_000))
      .addHelpText('after', examples(['scale deployment/orderservice 13'])),
  )
  const rollout = program.command('rollout').description('replace the pods of a workload')
  register(
    rollout
      .command('restart')
      .description('replace all pods by new ones')
      .argument('<kind/name>', 'deployment/web, statefulset/db'),
    'rollout restart',
  )
  register(
    rollout
      .command('status')
      .description('wait until the cluster is as wished')
      .argument('[kind/name]', 'must be there; all objects are waited for'),
    'rollout status',
  )
  register(
    program
      .command('delete')
      .description('delete an object')
      .argument('<kind>', 'pod, deployment, statefulset, replicaset, service, namespace')
      .argument('<name>', 'its name; shop/web in namespace shop')
      .addHelpText('after', examples(['delete pod web', 'delete deployment shop/cart'])),
  )
  const node = program.command('node').description('nodes joining, draining, failing, leaving')
  register(
    node
      .command('add')
      .description('plug in a node; it joins')
      .argument('[name]', 'default: the next node-N'),
    'node add',
  )
  register(node.command('drain').description('move its pods elsewhere').argument('<name>'), 'node drain')
  register(node.command('uncordon').description('let it take pods again').argument('<name>'), 'node uncordon')
  register(node.command('fail').description('cut its power and its cable').argument('<name>'), 'node fail')
  register(node.command('remove').description('take it out of the cluster').argument('<name>'), 'node remove')
  register(
    program
      .command('get')
      .description('list nodes, pods, services, endpoints; or links and routes, of nodes or of one pod')
      .argument(
        '<what>',
        'nodes, pods, services, endpoints, links, routes',
        oneOf(['nodes', 'pods', 'services', 'endpoints', 'links', 'routes']),
      )
      .option('-n, --namespace <name>', 'only this namespace (default: default)')
      .option('-A, --all-namespaces', 'all namespaces')
      .option('--pod <name>', 'links, routes: inside this pod')
      .addOption(output())
      .addHelpText(
        'after',
        examples(['get pods', 'get routes', 'get links --pod frontend', 'get endpoints -o json']),
      ),
  )
  register(
    program
      .command('ping')
      .description('send an echo request from a pod; with --all, from every pod to every other')
      .argument('[from]', 'a pod')
      .argument('[to]', 'a pod, an address, svc/NAME, or a DNS name')
      .option('--all', 'every pod to every other')
      .addOption(output())
      .addHelpText('after', examples(['ping frontend web', 'ping --all', 'ping web 10.244.2.3'])),
  )
  register(
    program
      .command('trace')
      .description('send one packet and show its way, hop by hop, with inner and outer headers')
      .argument('<from>', 'a pod')
      .argument(
        '<to[:port]>',
        'a pod, an address, svc/NAME, or a DNS name; with a port, an HTTP request over TCP',
      )
      .option(
        '--filter <terms>',
        'only packets with such a hop: node=node-1 address=10.244.2.0/24 reason=NO_ROUTE',
        '',
      )
      .option('--dropped-only', 'only packets that were dropped')
      .option('--all', 'neighbor discovery too')
      .addOption(output())
      .addHelpText(
        'after',
        examples([
          'trace frontend web:80',
          'trace frontend svc/orderservice',
          'trace frontend web --dropped-only',
        ]),
      ),
  )
  const dns = program.command('dns').description('names')
  register(
    dns
      .command('query')
      .description('look a name up inside a pod, and show what it cost')
      .argument('<name>', 'as a program in the pod would write it')
      .option('--from <pod>', 'the pod (default: the first that is ready)')
      .option('-t, --type <type>', 'record type', 'A')
      .addOption(output())
      .addHelpText(
        'after',
        examples(['dns query orderservice', 'dns query orderservice --type SRV --from frontend']),
      ),
    'dns query',
  )
  register(
    dns
      .command('serve')
      .description('run a simulated cluster and answer DNS queries of this machine from its records')
      .requiredOption('-f, --file <path...>', 'files and folders with manifests')
      .requiredOption('--listen <address:port>', 'where to listen; port 0 takes a free one')
      .option('--nodes <n>', 'how many nodes', wholeNumber(1, 250), 2)
      .addOption(seed())
      .addHelpText('after', examples(['dns serve -f shop.yaml --listen 127.0.0.1:5353'])),
    'dns serve',
  )
  register(
    program
      .command('capture')
      .description(
        'write the frames on all links to a pcapng file while other commands run; end it with Ctrl-C',
      )
      .argument('<file>', 'a file to write, - for standard output')
      .option('--filter <terms>', 'only such hops', '')
      .option('--count <n>', 'end after so many frames', wholeNumber(1, 1_000_000_000))
      .addHelpText(
        'after',
        examples(['capture all.pcapng --filter "node=node-1"', 'capture - | tshark -r -']),
      ),
  )
  register(
    program
      .command('decode')
      .description('print the packets of a pcap or pcapng file, every layer, tunnels too')
      .argument('<file>')
      .option('--json', 'one JSON document a packet, with every layer')
      .option('--link', 'begin lines with the Ethernet addresses')
      .option('--no-checksums', 'do not verify checksums (captures of a sender that leaves them to its card)')
      .addHelpText('after', examples(['decode podfabric-demo.pcapng', 'decode capture.pcap --json'])),
  )
  register(
    program
      .command('agent')
      .description(
        'be the agent of this machine: serve plugin executables, run the controllers of its networks',
      )
      .option('--conf-dir <folder>', 'the network lists of this machine', '/etc/cni/net.d'),
  )
  register(
    program
      .command('install')
      .description('write the plugins and a network list to where container runtimes look')
      .addOption(binDir())
      .addOption(confDir())
      .option('--plugin <name>', 'the pod network: a shipped plugin, with its example', 'flannel')
      .option('--network <file>', 'a network list of your own instead')
      .option('--cni-version <version>', 'what the list says; podman refuses 1.1.0', '1.0.0')
      .addHelpText('after', examples(['install --plugin bridge', 'install --bin-dir /usr/lib/cni'])),
  )
  register(
    program
      .command('uninstall')
      .description('take away what install wrote, and put back what stood there')
      .addOption(binDir())
      .addOption(confDir()),
  )
  register(
    program
      .command('doctor')
      .description('look at this machine and name what keeps pods from their network, with the fix')
      .addOption(binDir())
      .addOption(confDir())
      .addOption(output()),
  )
  register(
    program
      .command('clean')
      .description(
        'remove attachments, links, rules and state that are ours from this machine, and nothing else',
      )
      .addOption(confDir())
      .option('--dry-run', 'say what would be removed, and leave it'),
  )
  return program
}

function binDir(): Option {
  return new Option('--bin-dir <folder>', 'where runtimes look for plugins').default('/opt/cni/bin')
}

function confDir(): Option {
  return new Option('--conf-dir <folder>', 'where runtimes look for network lists').default('/etc/cni/net.d')
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  podfabric ${line}`).join('\n')}`
}

function output(): Option {
  return new Option('-o, --output <format>', 'how to print it').choices(formats).default('table')
}

function seed(): Option {
  return new Option('--seed <n>', 'same seed, same packets').argParser(wholeNumber(0, 2 ** 32 - 1)).default(1)
}

function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}.`)
  }
}

function oneOf(values: readonly string[]) {
  return (text: string): string => {
    if (values.includes(text)) return text
    throw new InvalidArgumentError(`expected one of ${values.join(', ')}.`)
  }
}
