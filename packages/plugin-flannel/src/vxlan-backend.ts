import { CniError } from '@podfabric/cni'
import { ownedAlias, ownership, type VxlanLink, type VxlanSpec } from '@podfabric/kernel'
import {
  addressOf,
  familyOf,
  type IfAddress,
  type Ip,
  ifAddressFrom,
  isLinkLocal,
  networkAddress,
  type Prefix,
  prefixFamily,
  randomMac,
} from '@podfabric/netaddr'
import { podMtu } from '@podfabric/overlay'
import type { Backend, BackendContext, Peer } from './backend.ts'
import { isOnLink } from './underlay.ts'

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
  const { namespace, underlay, network, random, previous } = context
  const name = `flannel.${config.vni}`
  const mtu = podMtu(underlay.mtu, { encapsulation: 'vxlan', underlay: familyOf(underlay.address) })
  const there = (await namespace.links.list()).find((link) => link.name === name && link.kind === 'vxlan')
  const mac = there?.mac ?? (previous?.backend === 'vxlan' ? previous.vtepMac : randomMac(random))

  async function ensureDevice(subnet: Prefix) {
    let found = (await namespace.links.list()).find((link) => link.name === name)
    if (found && found.kind !== 'vxlan') {
      throw new CniError(
        'CNI_NOT_AVAILABLE',
        `flannel: the link ${name} is a ${found.kind} and not ours; rename it, or set "backend.vni" to another number`,
      )
    }
    if (found && !isRight(found, config, context)) {
      await namespace.links.delete(name)
      found = undefined
    }
    if (!found) await namespace.links.add(deviceSpec())
    if (!found?.up || found.mtu !== mtu || found.mac !== mac) {
      await namespace.links.set(name, { up: true, mtu, mac })
    }
    await ensureAddress(deviceAddress(subnet))
  }

  async function ensureAddress(address: IfAddress) {
    const rows = (await namespace.addresses.list()).filter(({ link }) => link === name)
    if (!rows.some((row) => row.address === address)) {
      await namespace.addresses.add({
        link: name,
        address,
        ...(prefixFamily(address) === 6 && { noDad: true }),
      })
    }
    for (const row of rows) {
      if (row.address === address || isLinkLocal(addressOf(row.address))) continue
      await namespace.addresses.delete({ link: name, address: row.address })
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
    peerData: { backend: 'vxlan', vni: config.vni, vtepMac: mac },
    owned: { network, tunnel: name },
    underlay,
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

async function peerRows(peer: Peer, link: string, config: VxlanConfig, context: BackendContext) {
  const { subnet, publicIp, data } = peer
  const protocol = ownership.routeProtocol
  if (config.directRouting && (await isDirect(context, publicIp))) {
    return { route: { destination: subnet, gateway: publicIp, link: context.underlay.link, protocol } }
  }
  if (data.backend !== 'vxlan' || data.vni !== config.vni) return {}
  if (familyOf(publicIp) !== familyOf(context.underlay.address)) return {}
  const { vtepMac: mac } = data
  const base = networkAddress(subnet)
  return {
    route: { destination: subnet, gateway: base, link, onlink: true, protocol },
    neighbor: { link, address: base, mac, state: 'permanent' as const, protocol },
    entry: { link, mac, destination: publicIp, state: 'permanent' as const },
  }
}

/** Whether a route to the peer's address itself is possible: one family, and no router between. */
async function isDirect({ namespace, underlay, network }: BackendContext, peer: Ip): Promise<boolean> {
  if (familyOf(peer) !== prefixFamily(network)) return false
  return isOnLink(namespace, underlay, peer)
}

/** The subnet's base address alone, so that the device adds no route of its own. */
function deviceAddress(subnet: Prefix): IfAddress {
  return ifAddressFrom(networkAddress(subnet), prefixFamily(subnet) === 4 ? 32 : 128)
}

/** Whether a device found there can stay: its tunnel's parameters cannot be changed in place. */
function isRight(link: VxlanLink, config: VxlanConfig, { underlay }: BackendContext): boolean {
  return (
    link.vni === config.vni &&
    link.udpPort === config.port &&
    link.local === underlay.address &&
    link.underlay === underlay.link &&
    !link.learning
  )
}
