import { CniError, type Controller, type Log, type PluginConfig } from '@podfabric/cni'
import { keptLog, type LoggedLine } from '@podfabric/cni/testing'
import {
  type Clock,
  formatCommand,
  type Kernel,
  KernelError,
  type Middleware,
  type Namespace,
  type Operation,
  withMiddleware,
} from '@podfabric/kernel'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { linuxLab } from '@podfabric/kernel-linux/testing'
import { simulate, type VirtualClock } from '@podfabric/kernel-sim'
import {
  addressAt,
  type Ip,
  ifAddress,
  ifAddressFrom,
  type Prefix,
  prefix,
  prefixFamily,
  prefixLength,
} from '@podfabric/netaddr'
import { memoryStore, type Store } from '@podfabric/store'
import { type NetworkConfig, parseFlannelConfig } from './config.ts'
import { flannelController } from './controller.ts'
import { nodeRecords } from './node-record.ts'

/** Nodes on one segment, node `i` (from 1) at 192.168.50.`i`/24 and fd50::`i`/64 on `eth0`. */
export interface TestLab {
  readonly clock: Clock
  /** Gives promises and packets time to come to rest; nothing on Linux, where tests wait for changes. */
  settle(milliseconds?: number): Promise<void>
  nodes(count: number): Promise<readonly Kernel[]>
  close(): Promise<void>
}

export interface SimulatedLab extends TestLab {
  readonly clock: VirtualClock
}

export function simulatedLab(mtu = 1500): SimulatedLab {
  const network = simulate()
  const underlay = network.underlay({ mtu })
  const { clock } = network
  return {
    clock,
    settle: (milliseconds = 0) => clock.advance(milliseconds),
    async nodes(count) {
      return Array.from({ length: count }, (_none, index) => {
        const name = `node-${index + 1}`
        const addresses = [ifAddress(`192.168.50.${index + 1}/24`), ifAddress(`fd50::${index + 1}/64`)]
        underlay.attach(name, { addresses })
        return network.node(name)
      })
    },
    close: async () => undefined,
  }
}

async function linuxTestLab(): Promise<TestLab> {
  const lab = await linuxLab()
  return { ...lab, settle: async () => undefined }
}

const available = linuxAvailable()

/** The kernels to test on, and why not, where one cannot be had here. */
export const kernels: readonly { readonly name: string; readonly skip: boolean; make(): Promise<TestLab> }[] =
  [
    { name: 'the simulated kernel', skip: false, make: async () => simulatedLab() },
    {
      name: available.available ? 'Linux' : `Linux (skipped: ${available.reason})`,
      skip: !available.available,
      make: linuxTestLab,
    },
  ]

/** A node with what its controller did. */
export interface TestNode {
  readonly name: string
  readonly kernel: Kernel
  readonly host: Namespace
  /** Every operation of the controller that may change something, as the command that a person would have typed. */
  readonly commands: string[]
  readonly logged: readonly LoggedLine[]
  /** Refuses what it is true for, as long as it is. */
  refuse: (operation: Operation) => boolean
  controller: Controller
  /** A new controller with another configuration, as after a restart of the process. */
  renew(config?: object): void
}

async function standsAlready(host: Namespace, operation: Operation): Promise<boolean> {
  if (operation.op !== 'sysctl.set' || operation.ifDiffers !== true) return false
  return (await host.sysctl.get(operation.name)) === operation.value
}

/** Makes the operations of a node's controller visible, and lets a test refuse them. */
export function testNode(options: {
  readonly kernel: Kernel
  readonly name: string
  readonly store: Store
  readonly clock: Clock
  readonly config?: object
}): TestNode {
  const { kernel, name, store, clock } = options
  const { log, logged } = keptLog()
  // Other numbers on each node, the same in each run.
  let count = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 0) % 1000
  const random = () => (count++ * 0.618_033_988_749_895) % 1
  const watched = withMiddleware(kernel, (operation, next) => step(operation, next))
  const step = async (operation: Operation, next: Parameters<Middleware>[1]) => {
    if (!(await standsAlready(node.host, operation))) node.commands.push(formatCommand(operation))
    return node.refuse(operation) ? refusal(operation) : next()
  }
  const make = (config: object = options.config ?? {}) =>
    controllerOf(watched, { name, store, clock, log, random, config })
  const node: TestNode = {
    name,
    kernel,
    host: kernel.in(kernel.netns.host),
    commands: [],
    logged,
    refuse: () => false,
    controller: make(),
    renew(config) {
      node.controller = make(config)
    },
  }
  return node
}

async function refusal(operation: Operation) {
  return {
    ok: false,
    error: new KernelError('ENOBUFS', formatCommand(operation), 'refused by the test'),
  } as const
}

interface ControllerOptions {
  readonly name: string
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
  readonly config: object
}

function controllerOf(
  kernel: Kernel,
  { name, store, clock, log, random, config }: ControllerOptions,
): Controller {
  const source = {
    cniVersion: '1.1.0',
    name: 'net',
    type: 'flannel',
    network: '10.244.0.0/16',
    ...config,
  } as const
  return flannelController(networkConfigOf(source), {
    kernel,
    store,
    clock,
    log,
    node: { name },
    random,
    delegate(type) {
      throw new CniError('CNI_INTERNAL', `a controller delegates to nobody, not to ${type}`)
    },
  })
}

function networkConfigOf(source: PluginConfig): NetworkConfig {
  const config = parseFlannelConfig(source)
  if ('network' in config) return config
  throw new TypeError('a controller is for a network of our own')
}

/** The rows of a controller's tunnel and its routes, sorted, as text. */
export async function rowsOf({ host }: TestNode, link = 'flannel.1', network = '10.244.'): Promise<string[]> {
  const [routes, neighbors, fdb] = await Promise.all([
    host.routes.list(),
    host.neighbors.list(),
    host.fdb.list(),
  ])
  return [
    ...routes
      .filter(
        ({ destination, gateway, table = 254 }) =>
          destination.startsWith(network) && table === 254 && gateway !== undefined,
      )
      .map(
        (row) => `route ${row.destination} via ${row.gateway} dev ${row.link}${row.onlink ? ' onlink' : ''}`,
      ),
    ...neighbors
      .filter((row) => row.link === link && row.state !== 'noarp')
      .map((row) => `neighbor ${row.address} ${row.mac} ${row.state}`),
    ...fdb
      .filter((row) => row.link === link && row.destination !== undefined)
      .map((row) => `fdb ${row.mac} ${row.destination} ${row.state}`),
  ].toSorted()
}

export async function subnetOf({ name }: TestNode, store: Store): Promise<Prefix> {
  const record = await nodeRecords(store).get(name)
  if (!record) throw new Error(`${name} has no subnet`)
  return record.value.subnet
}

export function storeOn(clock: Clock): Store {
  return memoryStore({ clock })
}

/**
 * A pod by hand: a namespace with the second address of the node's subnet, the first is the node's. What the bridge plugin would
 * have made, without it.
 */
export async function pod(
  node: TestNode,
  subnet: Prefix,
  mtu: number,
): Promise<{ at: Namespace; address: Ip }> {
  const netns = await node.kernel.netns.create(`pod-of-${node.name}`)
  const at = node.kernel.in(netns)
  const length = prefixLength(subnet)
  const noDad = prefixFamily(subnet) === 6
  const gateway = addressAt(subnet, 1)
  const address = addressAt(subnet, 2)
  const peer = { name: 'eth0', netns, mtu }
  await must(node.host, [
    { op: 'link.add', link: { kind: 'veth', name: 'pod', up: true, mtu, peer } },
    // Before there is a carrier: the node asks for the pod's MAC address from its link-local one, which is to be settled by then.
    ...(noDad ? [{ op: 'sysctl.set', name: 'net.ipv6.conf.pod.accept_dad', value: '0' } as const] : []),
    { op: 'address.add', address: { link: 'pod', address: ifAddressFrom(gateway, length), noDad } },
  ])
  await must(at, [
    { op: 'link.set', name: 'eth0', change: { up: true } },
    { op: 'address.add', address: { link: 'eth0', address: ifAddressFrom(address, length), noDad } },
    { op: 'route.add', route: { destination: prefix(noDad ? '::/0' : '0.0.0.0/0'), gateway } },
  ])
  await netns[Symbol.asyncDispose]()
  return { at, address }
}

export async function must(namespace: Namespace, operations: readonly Operation[]): Promise<void> {
  for (const outcome of await namespace.apply(operations)) if (!outcome.ok) throw outcome.error
}

/** Waits until it is so, asking again at each change in the namespace; fails after 5 seconds of the lab's clock. */
export async function until(
  { clock }: Pick<TestLab, 'clock'>,
  { host }: TestNode,
  what: string,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const deadline = new AbortController()
  const changes = host.changes({ signal: deadline.signal })[Symbol.asyncIterator]()
  const timer = clock.after(5000, () => deadline.abort())
  try {
    while (!(await isSo())) {
      const { done } = await changes.next()
      if (done) throw new Error(`waited 5 s in vain until ${what}`)
    }
  } finally {
    timer[Symbol.dispose]()
    deadline.abort()
  }
}
