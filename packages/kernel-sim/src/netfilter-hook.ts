import type { Device } from './device.ts'
import { drop, hop, NOTHING } from './hops.ts'
import type { Hook, Netfilter } from './netfilter.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import { reject } from './reject.ts'

/** What a hook did with a packet. */
export const DROPPED = 0
export const PASSED = 1
/** Passed, with another destination than before. */
export const CHANGED = 2

/** A bit for each hook. */
export const BITS = { prerouting: 1, input: 2, forward: 4, output: 8, postrouting: 16 } as const
const HOOKS = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const

/** The hooks where rules could change or refuse a packet of the family, as a set of bits. */
export function hooksOf(netfilter: Netfilter, family: 4 | 6): number {
  let bits = 0
  for (const at of HOOKS) if (netfilter.active(at, family)) bits |= BITS[at]
  return bits
}

export function isHooked(netns: NetworkNamespace, at: Hook, family: 4 | 6): boolean {
  return ((family === 4 ? netns.hooks4 : netns.hooks6) & BITS[at]) !== 0
}

/** Whether a packet goes on after a hook; where not, its end was told. */
export function passes(
  netns: NetworkNamespace,
  at: Hook,
  packet: Packet,
  input: Device | undefined,
  output: Device | undefined,
): boolean {
  return !isHooked(netns, at, packet.family) || hook(netns, at, packet, input, output) !== DROPPED
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
