import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { isInCluster } from './commands/in-cluster.ts'
import { exitCodeOf, explain, Failure } from './failure.ts'
import type { Output } from './output.ts'
import { shippedFile } from './package-folder.ts'
import { type Invocation, readCommandLine } from './program.ts'
import { ask } from './up/client.ts'
import { stateFolder } from './up/state-folder.ts'

const words = process.argv.slice(2)
const { version } = JSON.parse(readFileSync(shippedFile('package.json'), 'utf8')) as {
  version: string
}
const output: Output = {
  line: (text) => void process.stdout.write(`${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read our output has seen enough: `podfabric decode big.pcap | head`.
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await main()

async function main(): Promise<number> {
  const reading = readCommandLine(words, version)
  if (!('invocation' in reading)) {
    if (reading.exitCode === 0) output.line(reading.text)
    else output.note(reading.text)
    return reading.exitCode
  }
  try {
    return await run(reading.invocation)
  } catch (error) {
    for (const line of explain(error)) output.note(`podfabric: ${line}`)
    return exitCodeOf(error)
  }
}

/** Commands are loaded when they are asked for: a decode needs no cluster. */
async function run(invocation: Invocation): Promise<number> {
  const { command, args, options } = invocation
  const [first = ''] = args
  switch (command) {
    case 'decode': {
      const { decode } = await import('./commands/decode.ts')
      const { json, link, checksums } = options
      return decode(
        first,
        { json: json === true, link: link === true, checksums: checksums !== false },
        output,
      )
    }
    case 'demo': {
      const { demo } = await import('./demo/demo.ts')
      return demo(options, output)
    }
    case 'dns serve': {
      const { dnsServe } = await import('./commands/dns-serve.ts')
      return dnsServe(options, output)
    }
    case 'agent': {
      const { runAgent } = await import('./node/agent.ts')
      return runAgent(options, output)
    }
    case 'install': {
      const { install } = await import('./node/install.ts')
      return install(options, output)
    }
    case 'uninstall': {
      const { uninstall } = await import('./node/uninstall.ts')
      return uninstall(options, output)
    }
    case 'clean': {
      const { clean } = await import('./node/clean.ts')
      return clean(options, output)
    }
    case 'doctor': {
      const { doctor } = await import('./node/doctor/doctor.ts')
      return doctor(options, output)
    }
    case 'up':
    case 'down': {
      const { up, down } = await import('./up/up.ts')
      const context = { words, state: stateFolder(process.env), version, output }
      return command === 'up' ? up(invocation, context) : down(context)
    }
    case 'capture':
      return captureHere(first)
    default:
      if (!isInCluster(command)) throw new TypeError(`${command} has nobody to run it`)
      return ask(stateFolder(process.env).socket, { words, folder: process.cwd() }, output)
  }
}

/** The cluster sends the file; it is written here, where the asker's permissions hold. Until the cluster has agreed there is none. */
async function captureHere(file: string): Promise<number> {
  const ended = new AbortController()
  const end = () => ended.abort()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  const { socket } = stateFolder(process.env)
  const sink = captureSink(file)
  const options = { onData: sink.write, signal: ended.signal }
  try {
    return await ask(socket, { words, folder: process.cwd() }, output, options)
  } finally {
    sink.close()
  }
}

function captureSink(file: string) {
  let opened: number | undefined
  return {
    write(bytes: Uint8Array) {
      if (file === '-') return void process.stdout.write(bytes)
      try {
        opened ??= openSync(file, 'w')
        writeFileSync(opened, bytes)
      } catch (cause) {
        throw new Failure(
          'usage',
          `${file}: cannot be written: ${cause instanceof Error ? cause.message : cause}`,
          {
            cause,
          },
        )
      }
    },
    close() {
      if (opened !== undefined) closeSync(opened)
    },
  }
}
