import { type Link, ownedAlias, ownership, type VxlanSpec } from '@podfabric/kernel'
import {
  familyOf,
  type IfAddress,
  ifAddressFrom,
  networkAddress,
  type Prefix,
  prefixFamily,
  randomMac,
} from '@podfabric/netaddr'
import { podMtu } from '@podfabric/overlay'
import type { Backend, BackendContext, Peer } from './backend.ts'
import { isDirect } from './underlay.ts'

export interface VxlanConfig {
  readonly type: 'vxlan'
  readonly vni: number
  readonly port: number
  /** Peers on the underlay's own link are routed without the tunnel. */
  readonly directRouting: boolean
}

/**
 * A VXLAN device per node without learning. Each peer is three rows: a permanent neighbor (its subnet's base
 * address is at its device's MAC), a permanent fdb entry (that MAC is behind its public address), and an
 * onlink route to its subnet by that base address. So the state is known beforehand and never asked for.
 */
export async function vxlanBackend(config: VxlanConfig, context: BackendContext): Promise<Backend> {
  const { namespace, underlay, random, previous } = context
  const name = `flannel.${config.vni}`
  const mtu = podMtu(underlay.mtu, { encapsulation: 'vxlan', underlay: familyOf(underlay.address) })
  const there = (await namespace.links.list()).find((link) => link.name === name)
  const mac = there?.mac ?? previous?.vtepMac ?? randomMac(random)

  async function ensureDevice(subnet: Prefix) {
    const [links, addresses] = await Promise.all([namespace.links.list(), namespace.addresses.list()])
    let found = links.find((link) => link.name === name)
    if (found && !isRight(found, config, context)) {
      await namespace.links.delete(name)
      found = undefined
    }
    if (!found) await namespace.links.add(deviceSpec())
    if (!found?.up || found.mtu !== mtu) await namespace.links.set(name, { up: true, mtu })
    const address = deviceAddress(subnet)
    if (!found || !addresses.some((row) => row.link === name && row.address === address)) {
      await namespace.addresses.replace({ link: name, address, noDad: true })
    }
  }

  function deviceSpec(): VxlanSpec {
    return {
      kind: 'vxlan',
      name,
      vni: config.vni,
      udpPort: config.port,
      local: underlay.address,
      underlay: underlay.link,
      learning: false,
      mac,
      mtu,
      alias: ownedAlias(name),
    }
  }

  return {
    podMtu: mtu,
    peerData: { backend: 'vxlan', vtepMac: mac },
    links: { tunnel: name, routes: config.directRouting ? [name, underlay.link] : [name] },
    ensure: ensureDevice,
    async tables(peers) {
      const rows = await Promise.all(peers.map((peer) => peerRows(peer, name, config, context)))
      return {
        routes: rows.map(({ route }) => route).filter((route) => route !== undefined),
        neighbors: rows.map(({ neighbor }) => neighbor).filter((neighbor) => neighbor !== undefined),
        fdb: rows.map(({ entry }) => entry).filter((entry) => entry !== undefined),
      }
    },
  }
}

async function peerRows(
  peer: Peer,
  link: string,
  config: VxlanConfig,
  { namespace, underlay }: BackendContext,
) {
  const { subnet, publicIp, vtepMac } = peer
  const protocol = ownership.routeProtocol
  if (config.directRouting && (await isDirect(namespace, underlay, publicIp))) {
    return { route: { destination: subnet, gateway: publicIp, link: underlay.link, protocol } }
  }
  if (peer.backend !== 'vxlan' || vtepMac === undefined) return {}
  const base = networkAddress(subnet)
  return {
    route: { destination: subnet, gateway: base, link, onlink: true, protocol },
    neighbor: { link, address: base, mac: vtepMac, state: 'permanent' as const, protocol },
    entry: { link, mac: vtepMac, destination: publicIp, state: 'permanent' as const },
  }
}

/** The subnet's base address alone, so that the device adds no route of its own. */
function deviceAddress(subnet: Prefix): IfAddress {
  return ifAddressFrom(networkAddress(subnet), prefixFamily(subnet) === 4 ? 32 : 128)
}

/** Whether a device found there can stay: its tunnel's parameters cannot be changed in place. */
function isRight(link: Link, config: VxlanConfig, { underlay }: BackendContext): boolean {
  return (
    link.kind === 'vxlan' &&
    link.vni === config.vni &&
    link.udpPort === config.port &&
    link.local === underlay.address &&
    !link.learning
  )
}
