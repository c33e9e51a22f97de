import type { Device } from './device.ts'
import { drop, hop, NOTHING } from './hops.ts'
import type { Hook } from './netfilter.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import { reject } from './reject.ts'

/** What a hook did with a packet. */
export const DROPPED = 0
export const PASSED = 1
/** Passed, with another destination than before. */
export const CHANGED = 2

/** Whether a packet goes on after a hook; where not, its end was told. */
export function passes(
  netns: NetworkNamespace,
  at: Hook,
  packet: Packet,
  input: Device | undefined,
  output: Device | undefined,
): boolean {
  return !netns.netfilter.active(at, packet.family) || hook(netns, at, packet, input, output) !== DROPPED
}

/** Runs a packet through the rules of a hook. */
export function hook(
  netns: NetworkNamespace,
  at: Hook,
  packet: Packet,
  input: Device | undefined,
  output: Device | undefined,
): typeof DROPPED | typeof PASSED | typeof CHANGED {
  const site = { input: input?.name ?? '', output: output?.name ?? '' }
  const decision = netns.netfilter.hook(packet, at, site)
  if (decision.verdict === 'accept') {
    if (decision.translation !== undefined && netns.simulation.tracing) {
      hop(netns, output ?? input, packet, 'translate', decision.translation, { hook: at }, 'ip')
    }
    return decision.changed ? CHANGED : PASSED
  }
  const because = netns.simulation.tracing ? { hook: at, ...decision.because } : NOTHING
  drop(netns, output ?? input, packet, decision.reason, 'ip', because)
  if (decision.verdict === 'reject') reject(netns, packet, decision.answer)
  return DROPPED
}
