import type { Hop } from './hop.ts'
import type { Journey } from './journey.ts'

/** A part of a journey inside one namespace and one state of encapsulation: what a picture shows as one box. */
export interface Stage {
  readonly node: string
  readonly netns: string
  /** Whether the packet carries outer headers when it leaves the stage. */
  readonly encapsulated: boolean
  /** At least one. */
  readonly hops: readonly Hop[]
}

/**
 * Cuts a journey into stages. A new one begins in another namespace and with encapsulation; decapsulation
 * ends one. A pod's packet to a pod on another node through a tunnel takes six.
 */
export function stages(journey: Journey): readonly Stage[] {
  const found: { node: string; netns: string; encapsulated: boolean; hops: Hop[] }[] = []
  let current: (typeof found)[number] | undefined
  for (const hop of journey.hops) {
    const elsewhere = current?.node !== hop.node || current.netns !== hop.netns
    const encapsulated =
      hop.step === 'encapsulate' || (hop.step !== 'decapsulate' && (current?.encapsulated ?? false))
    const after = current?.hops.at(-1)?.step === 'decapsulate'
    if (!current || elsewhere || after || hop.step === 'encapsulate') {
      current = { node: hop.node, netns: hop.netns, encapsulated, hops: [] }
      found.push(current)
    }
    current.encapsulated = encapsulated
    current.hops.push(hop)
  }
  return found
}
