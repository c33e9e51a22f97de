import {
  CniError,
  codeOf,
  type IfAddress,
  type Kernel,
  type Namespace,
  onNode,
  type Resource,
  type ResultInterface,
} from '@podfabric/cni'
import { type Link, ownedAlias } from '@podfabric/kernel'
import { prefixFamily, randomMac } from '@podfabric/netaddr'
import type { BridgeConfig } from './config.ts'
import { linkIn } from './foreign-pair.ts'
import { quietIpv6 } from './quiet-ipv6.ts'

export interface BridgeResource extends Resource {
  /** As the result tells it; whole once it was ensured. */
  readonly interface: ResultInterface
}

/** The bridge, with the gateway's addresses where it is the gateway. One that is there already, and not ours, is used as it is. */
export function bridgeLink(
  { kernel, random }: { readonly kernel: Kernel; readonly random: () => number },
  network: string,
  { bridge: name, mtu, isGateway }: BridgeConfig,
  addresses: () => readonly IfAddress[],
): BridgeResource {
  let described: ResultInterface | undefined

  /** The bridge, which is there already for all containers but the first. */
  const found = async (node: Namespace): Promise<Link> => {
    const there = await linkIn(node, name)
    if (there === undefined) {
      await make(node)
      return node.links.get(name)
    }
    const { kind, up } = there
    if (kind !== 'bridge') {
      throw new CniError('CNI_INVALID_NETWORK_CONFIG', `bridge: the link ${name} is a ${kind}, not a bridge`)
    }
    if (!up) await node.links.set(name, { up: true })
    return there
  }

  const make = async (node: Namespace): Promise<void> => {
    try {
      await node.links.add({
        kind: 'bridge',
        name,
        // Of its own: without, it changes with the bridge's ports, and every neighbor's table is wrong for a while.
        mac: randomMac(random),
        ...(mtu !== undefined && { mtu }),
        up: true,
        alias: bridgeAlias(network),
      })
    } catch (error) {
      // Another call made it meanwhile.
      if (codeOf(error) === 'EEXIST') return
      throw error
    }
    // It has no carrier before its first port, so nothing of the detection has begun.
    if (isGateway && families(addresses()).includes(6)) await quietIpv6(node, name)
  }

  return {
    name: `bridge ${name}`,
    get interface() {
      return described ?? { name }
    },
    ensure: () =>
      onNode(kernel, async (node) => {
        const { mac, mtu: octets } = await found(node)
        described = { name, mac, mtu: octets }
        if (!isGateway) return
        for (const address of addresses()) await addAddress(node, name, address)
        for (const family of families(addresses())) await node.sysctl.ensure(forwarding[family], '1')
      }),
    verify: () =>
      onNode(kernel, async (node) => {
        const { kind, up } = await node.links.get(name)
        if (kind !== 'bridge') throw new CniError('CNI_CHECK_FAILED', `it is a ${kind}`)
        if (!up) throw new CniError('CNI_CHECK_FAILED', 'it is down')
        if (!isGateway) return
        const rows = await node.addresses.list()
        const missing = addresses().find(
          (address) => !rows.some((row) => row.link === name && row.address === address),
        )
        if (missing !== undefined) throw new CniError('CNI_CHECK_FAILED', `it has no address ${missing}`)
        for (const family of families(addresses())) {
          if ((await node.sysctl.get(forwarding[family])) !== '1') {
            throw new CniError('CNI_CHECK_FAILED', `${forwarding[family]} is not 1`)
          }
        }
      }),
    // It goes with the network's last container.
    remove: async () => undefined,
  }
}

/** Takes the bridge away if it is this network's, and nobody has put a port of their own into it. */
export async function removeBridge(kernel: Kernel, network: string): Promise<void> {
  await onNode(kernel, async (node) => {
    const links = await node.links.list()
    const own = links.filter(({ kind, alias }) => kind === 'bridge' && alias === bridgeAlias(network))
    for (const { name } of own) {
      if (links.some(({ port }) => port?.bridge === name)) continue
      await node.links.delete(name)
    }
  })
}

function bridgeAlias(network: string): string {
  return ownedAlias(`bridge/${network}`)
}

async function addAddress(node: Namespace, link: string, address: IfAddress): Promise<void> {
  try {
    await node.addresses.add({ link, address, ...(prefixFamily(address) === 6 && { noDad: true }) })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

const forwarding = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' } as const

function families(addresses: readonly IfAddress[]): readonly (4 | 6)[] {
  return [...new Set(addresses.map(prefixFamily))]
}
