import { podMtu } from '@podfabric/overlay'
import type { HostTables } from '../host-tables.ts'
import { type Check, error, type Finding, ok, orOk, unknown, warning } from './check.ts'
import type { PodNetwork } from './pod-network.ts'

/** What a link gets that nobody chose an MTU for. */
const usual = 1500

/** Packets that fit the pod's link and not the way between the nodes: small ones pass, large ones vanish. */
export const mtu: Check = {
  id: 'mtu',
  title: 'packets of the pods fit the links between the nodes',
  run({ host, hidden, networks }) {
    if (host === undefined) return [unknown(`not looked at: ${hidden}`)]
    if (networks.length === 0) return [ok('no network of ours is concerned')]
    const problems: Finding[] = []
    for (const network of networks) {
      const underlay = underlayOf(host, network)
      if (underlay === undefined) {
        problems.push(
          unknown(
            `network ${network.name}: there is no default route, so the link between the nodes is not known`,
          ),
        )
        continue
      }
      const room = roomOn(underlay.mtu, network)
      const between = network.tunnel === undefined ? underlay.name : `the tunnel over ${underlay.name}`
      const pods = network.mtu ?? (network.type === 'bridge' ? usual : undefined)
      if (pods !== undefined && pods > room) {
        const found = `network ${network.name}: packets of pods have up to ${pods} octets, ${between} carries ${room}`
        const key = network.type === 'bridge' ? '"mtu"' : '"delegate.mtu"'
        problems.push(
          network.mtu === undefined || network.type === 'flannel'
            ? warning(
                found,
                `write ${key}: ${room} into ${network.file}, or restart the agent after a change of the link`,
              )
            : error(found, `write ${key}: ${room} into ${network.file}`),
        )
      }
      const device = host.links.find(({ name, kind }) => name === network.tunnel && kind === 'vxlan')
      if (device !== undefined && device.mtu > room) {
        problems.push(
          error(
            `network ${network.name}: ${device.name} has an MTU of ${device.mtu}, ${underlay.name} leaves room for ${room}`,
            `restart podfabric agent, which sets it, or ip link set ${device.name} mtu ${room}`,
          ),
        )
      }
    }
    return orOk(problems, 'they do')
  },
}

function underlayOf({ links, routes }: HostTables, { underlay, tunnel, bridge }: PodNetwork) {
  if (underlay !== undefined) return links.find(({ name }) => name === underlay)
  const route = routes
    .filter(
      ({ destination, type = 'unicast' }) => /^(0\.0\.0\.0|::)\/0$/.test(destination) && type === 'unicast',
    )
    .toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0))
    .find(({ link }) => link !== tunnel && link !== bridge)
  return links.find(({ name }) => name === route?.link)
}

/** The underlay's family is not in the list: IPv4 has the smaller header, so what is too large for it is too large. */
function roomOn(octets: number, { tunnel }: PodNetwork): number {
  return tunnel === undefined ? octets : podMtu(octets, { encapsulation: 'vxlan', underlay: 4 })
}
