import { type AddResult, type PluginFactory, parseNetworkList } from '@podfabric/cni'
import { type CniRuntime, cniRuntime, inProcess } from '@podfabric/cni/runtime'
import { keptLog, recordingPlugin } from '@podfabric/cni/testing'
import { type TestNode, within } from '@podfabric/conformance/testing'
import { type Kernel, type Namespace, systemClock } from '@podfabric/kernel'
import { type Ip, ifAddress, ip, isV4, prefix } from '@podfabric/netaddr'
import { memoryStore, type Store, scoped } from '@podfabric/store'
import portmap from './portmap.ts'

export const nodeAddress = { ip: ip('192.0.2.1'), ip6: ip('2001:db8::1') }
export const clientAddress = { ip: ip('192.0.2.2'), ip6: ip('2001:db8::2') }
export const gateway = { ip: ip('10.88.0.1'), ip6: ip('fd88::1') }

/** A container as a plugin before portmap left it. */
export interface Container {
  readonly containerId: string
  readonly ifName: 'eth0'
  readonly netns: string
  readonly result: AddResult
  readonly address: { readonly ip: Ip; readonly ip6: Ip }
}

export interface Mapping {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol?: string
  readonly hostIP?: string
}

/** A node with a bridge for containers and a client on another network, both families, forwarding. */
export interface PortmapNode {
  readonly kernel: Kernel
  /** Path of the client's namespace. */
  readonly client: string
  container(name: string): Promise<Container>
  /** What containers get, as if the node's plugins began anew; `kernel` is the plugin's. */
  runtime(options?: { readonly kernel?: Kernel; readonly store?: Store }): CniRuntime
  readonly store: Store
}

export async function portmapNode({ kernel }: TestNode): Promise<PortmapNode> {
  const store = memoryStore({ clock: systemClock })
  const client = await namespaceCalled(kernel, 'client')
  const outside = await kernel.netns.open(client)
  await within(kernel, '', async (node) => {
    await settleAtOnce(node)
    await node.links.add({ kind: 'bridge', name: 'cni0', up: true })
    await node.links.add({ kind: 'veth', name: 'uplink', up: true, peer: { name: 'eth0', netns: outside } })
    await address(node, 'cni0', '10.88.0.1/24', 'fd88::1/64')
    await address(node, 'uplink', '192.0.2.1/24', '2001:db8::1/64')
    await node.sysctl.set('net.ipv4.ip_forward', '1')
    await node.sysctl.set('net.ipv6.conf.all.forwarding', '1')
  })
  await outside[Symbol.asyncDispose]()
  await within(kernel, client, async (at) => {
    await at.links.set('eth0', { up: true })
    await address(at, 'eth0', '192.0.2.2/24', '2001:db8::2/64')
  })

  const results = new Map<string, AddResult>()
  let count = 1
  return {
    kernel,
    client,
    store,
    async container(name) {
      count++
      const n = count
      const netns = await namespaceCalled(kernel, name)
      const inside = await kernel.netns.open(netns)
      const own = [`10.88.0.${n}/24`, `fd88::${n.toString(16)}/64`] as const
      await within(kernel, '', async ({ links }) => {
        const peer = { name: 'eth0', netns: inside }
        await links.add({ kind: 'veth', name: `veth${n}`, bridge: 'cni0', up: true, peer })
        // Where frames that bridges carry are filtered too, what leads back to the container leaves by the port it came from.
        await links.set(`veth${n}`, { port: { hairpin: true } })
      })
      await inside[Symbol.asyncDispose]()
      await within(kernel, netns, async (at) => {
        await at.links.set('eth0', { up: true })
        await address(at, 'eth0', ...own)
        await at.routes.add({ destination: prefix('0.0.0.0/0'), gateway: gateway.ip })
        await at.routes.add({ destination: prefix('::/0'), gateway: gateway.ip6 })
      })
      const result: AddResult = {
        interfaces: [{ name: 'cni0' }, { name: 'eth0', sandbox: netns }],
        ips: own.map((each) => ({ address: ifAddress(each), interface: 1 })),
        routes: [{ destination: prefix('0.0.0.0/0') }],
        extra: { kept: true },
      }
      results.set(name, result)
      const [v4, v6] = own.map((each) => ip(each.split('/')[0] ?? ''))
      if (v4 === undefined || v6 === undefined) throw new Error('no address')
      return { containerId: name, ifName: 'eth0', netns, result, address: { ip: v4, ip6: v6 } }
    },
    runtime(options = {}) {
      const { log } = keptLog()
      const network = recordingPlugin('network', [], {
        result: ({ containerId }) => results.get(containerId) ?? { interfaces: [], ips: [], routes: [] },
      })
      const exec = inProcess({
        plugins: { network, portmap: portmap as PluginFactory },
        context: (name) => ({
          kernel: options.kernel ?? kernel,
          store: scoped(options.store ?? store, `networks/${name}/`),
          clock: systemClock,
          log,
          random: () => 0.5,
          node: { name: 'node-1' },
        }),
      })
      return cniRuntime({ exec, store: memoryStore({ clock: systemClock }), log })
    },
  }
}

/** A network list with portmap behind a plugin that attaches. */
export function listWith(keys: object = {}, name = 'net') {
  const plugins = [{ type: 'network' }, { type: 'portmap', capabilities: { portMappings: true }, ...keys }]
  return parseNetworkList(JSON.stringify({ cniVersion: '1.1.0', name, plugins }))
}

/** A container with the ports that its user wants. */
export function publishing(container: Container, ...portMappings: readonly Mapping[]) {
  const { containerId, ifName, netns } = container
  return {
    containerId,
    ifName,
    netns,
    capabilityArgs: { portMappings: portMappings.map((each) => ({ ...each })) },
  }
}

/** What answered, and whom it saw: `10.88.0.2 saw 192.0.2.2`; or `nobody`. */
export async function reached(
  kernel: Kernel,
  way: {
    readonly from: string
    readonly to: Ip
    readonly port: number
    readonly server: string
    readonly serverPort?: number
    readonly protocol?: 'tcp' | 'udp'
  },
): Promise<string> {
  const { from, to, port, server, serverPort = 80, protocol = 'tcp' } = way
  const any = ip(isV4(to) ? '0.0.0.0' : '::')
  const signal = AbortSignal.timeout(PATIENCE)
  return within(kernel, server, (there) =>
    within(kernel, from, async (here) => {
      const local = { address: any, port: serverPort }
      try {
        return await (protocol === 'tcp' ? overTcp : overUdp)(
          there,
          here,
          local,
          { address: to, port },
          signal,
        )
      } catch (error) {
        if (signal.aborted || (error instanceof Error && 'code' in error)) return 'nobody'
        throw error
      }
    }),
  )
}

/** Milliseconds until a connection counts as not made. */
const PATIENCE = 1500

type Place = { readonly address: Ip; readonly port: number }

async function overTcp(there: Namespace, here: Namespace, local: Place, to: Place, signal: AbortSignal) {
  const listener = await there.sockets.listen(local)
  try {
    const client = await here.sockets.connect(to, { signal })
    try {
      const accepted = await listener.accept({ signal })
      try {
        await client.write(new Uint8Array([1]))
        await accepted.read({ signal })
        await accepted.write(new Uint8Array([2]))
        await client.read({ signal })
        return `${accepted.local.address} saw ${accepted.remote.address}`
      } finally {
        await accepted.reset()
      }
    } finally {
      await client.reset()
    }
  } finally {
    await listener.close()
  }
}

async function overUdp(there: Namespace, here: Namespace, local: Place, to: Place, signal: AbortSignal) {
  const receiver = await there.sockets.udp(local)
  const sender = await here.sockets.udp({ address: local.address })
  try {
    await sender.send(new Uint8Array([1]), to)
    const { from, to: at } = await receiver.receive({ signal })
    await receiver.send(new Uint8Array([2]), from)
    const answer = await sender.receive({ signal })
    if (answer.from.address !== to.address || answer.from.port !== to.port) {
      return `an answer from ${answer.from.address}, not ${to.address}`
    }
    return `${at.address} saw ${from.address}`
  } finally {
    await receiver.close()
    await sender.close()
  }
}

async function namespaceCalled(kernel: Kernel, name: string): Promise<string> {
  const netns = await kernel.netns.create(name)
  await netns[Symbol.asyncDispose]()
  await within(kernel, netns.path, async (at) => {
    await settleAtOnce(at)
    await at.links.set('lo', { up: true })
  })
  return netns.path
}

/** Link-local addresses are there from the start: neighbors are asked for from them. */
async function settleAtOnce({ sysctl }: Namespace): Promise<void> {
  await sysctl.set('net.ipv6.conf.default.accept_dad', '0')
}

async function address({ addresses }: Namespace, link: string, v4: string, v6: string): Promise<void> {
  await addresses.add({ link, address: ifAddress(v4) })
  await addresses.add({ link, address: ifAddress(v6), noDad: true })
}
