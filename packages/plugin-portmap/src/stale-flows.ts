import type { Ip, Namespace } from '@podfabric/cni'
import type { ConntrackEntry } from '@podfabric/kernel'
import { addressOf, isLoopback } from '@podfabric/netaddr'
import type { PortMapping, Published } from './port-mapping.ts'

// A connection is translated as its first packet was. UDP's go on for as long as somebody sends, whatever the rules have
// become; those of TCP end by themselves.

/** Forgets UDP connections to the published ports that do not lead to the container. */
export async function forgetUntranslated(node: Namespace, published: Published): Promise<void> {
  const mappings = udpIn(published)
  if (mappings.length === 0) return
  const flows = await node.conntrack.list({ protocol: 'udp' })
  const stale = flows.filter((flow) => mappings.some((each) => isTo(flow, each) && !isAnsweredBy(flow, each)))
  if (stale.length === 0) return
  const rows = await node.addresses.list()
  const local = new Set<Ip>(rows.map(({ address }) => addressOf(address)))
  // Others are on their way through the node, to the same port of somebody else.
  await forget(
    node,
    stale.filter(({ original: { destination } }) => local.has(destination) || isLoopback(destination)),
  )
}

/** Forgets UDP connections to the published ports that lead to the container. */
export async function forgetAnsweredBy(node: Namespace, published: Published): Promise<void> {
  const mappings = udpIn(published)
  if (mappings.length === 0) return
  const flows = await node.conntrack.list({ protocol: 'udp' })
  await forget(
    node,
    flows.filter((flow) => mappings.some((each) => isTo(flow, each) && isAnsweredBy(flow, each))),
  )
}

function udpIn({ mappings }: Published): readonly PortMapping[] {
  return mappings.filter(({ protocol }) => protocol === 'udp')
}

function isTo({ original }: ConntrackEntry, { hostPort, hostIp }: PortMapping): boolean {
  return original.destinationPort === hostPort && (hostIp === undefined || original.destination === hostIp)
}

function isAnsweredBy({ reply }: ConntrackEntry, { address, port }: PortMapping): boolean {
  return reply.source === address && reply.sourcePort === port
}

async function forget({ conntrack }: Namespace, flows: readonly ConntrackEntry[]): Promise<void> {
  for (const { protocol, original } of flows) await conntrack.delete({ protocol, original })
}
