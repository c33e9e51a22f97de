import type { Hop } from './hop.ts'

/** All hops of one packet, in order. A flooded packet has several ends. */
export interface Journey {
  readonly packet: number
  /** The packet that caused this one. */
  readonly cause?: number
  readonly hops: readonly Hop[]
  /** `delivered` and `dropped` as any of its ends says, delivered first; else it is still `under-way`. */
  readonly outcome: 'delivered' | 'dropped' | 'under-way'
}

/** The journeys that some hops tell of, in the order in which they began. */
export function journeys(hops: Iterable<Hop>): readonly Journey[] {
  const byPacket = new Map<number, Hop[]>()
  for (const hop of hops) {
    const known = byPacket.get(hop.packet)
    if (known) known.push(hop)
    else byPacket.set(hop.packet, [hop])
  }
  return [...byPacket.values()].map(journey)
}

function journey(hops: Hop[]): Journey {
  const [first] = hops
  if (!first) throw new RangeError('a journey has at least one hop')
  hops.sort((a, b) => a.sequence - b.sequence)
  const cause = hops.find((hop) => hop.cause !== undefined)?.cause
  return {
    packet: first.packet,
    ...(cause !== undefined && { cause }),
    hops,
    outcome: outcome(hops),
  }
}

function outcome(hops: readonly Hop[]): Journey['outcome'] {
  if (hops.some(({ step }) => step === 'deliver')) return 'delivered'
  return hops.some(({ step }) => step === 'drop') ? 'dropped' : 'under-way'
}
