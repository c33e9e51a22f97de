import type { Ip, Mac } from '@podfabric/netaddr'
import {
  arp,
  type DissectedLayer,
  type Dissection,
  dissect,
  ethernet,
  ipv4,
  ipv6,
  linkTypes,
  type NextProtocols,
  tcp,
  udp,
} from '@podfabric/wire'
import type { Hop } from './hop.ts'

/** What a filter can ask of a packet, over all its headers, inner and outer. */
export interface PacketFacts {
  /** Names of the headers: `ethernet`, `ipv4`, `udp`, `vxlan`. */
  readonly protocols: ReadonlySet<string>
  readonly addresses: readonly Ip[]
  readonly ports: readonly number[]
  readonly macs: readonly Mac[]
}

/** Dissects a hop's packet. `protocols` is the table of what follows what; tunnels are known by it only. */
export function dissectHop(hop: Hop, protocols: NextProtocols): Dissection {
  return dissect(hop.bytes, {
    start: hop.layer === 'ethernet' ? linkTypes.ethernet : linkTypes.raw,
    protocols,
    verifyChecksums: false,
  })
}

export function packetFacts(dissection: Dissection): PacketFacts {
  const addresses: Ip[] = []
  const ports: number[] = []
  const macs: Mac[] = []
  for (const layer of dissection.layers) {
    const ip = read(layer, ipv4) ?? read(layer, ipv6)
    if (ip) addresses.push(ip.source, ip.destination)
    const transport = read(layer, udp) ?? read(layer, tcp)
    if (transport) ports.push(transport.sourcePort, transport.destinationPort)
    const link = read(layer, ethernet)
    if (link) macs.push(link.source, link.destination)
    const question = read(layer, arp)
    if (question) addresses.push(question.senderIp, question.targetIp)
  }
  return { protocols: new Set(dissection.layers.map(({ protocol }) => protocol)), addresses, ports, macs }
}

/** The layer's header when it is this codec's: layers are named after the codec that read them. */
function read<Header>(
  layer: DissectedLayer,
  codec: { name: string; encodingLength(header: Header): number },
) {
  return layer.protocol === codec.name ? (layer.header as Header) : undefined
}
