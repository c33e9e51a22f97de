import type { DropReason, Hop, PassReason, Step } from '@podfabric/trace'
import type { Device } from './device.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'

/** What decided, in the field's words. */
export type Because = Hop['because']

export const NOTHING: Because = {}

/**
 * Tells observers of one step. Callers on packet paths ask `tracing` first, so that nothing is built in vain.
 * `layer` says what `packet.start` points at.
 */
export function hop(
  netns: NetworkNamespace,
  device: Device | undefined,
  packet: Packet,
  step: Exclude<Step, 'drop'>,
  reason: PassReason,
  because: Because,
  layer: Hop['layer'],
): void {
  emit(netns, device, packet, step, reason, because, layer)
}

/** The end of a packet. `because` is built by callers only while tracing. */
export function drop(
  netns: NetworkNamespace,
  device: Device | undefined,
  packet: Packet,
  reason: DropReason,
  layer: Hop['layer'],
  because: Because = NOTHING,
): void {
  if (netns.simulation.tracing) emit(netns, device, packet, 'drop', reason, because, layer)
}

function emit(
  netns: NetworkNamespace,
  device: Device | undefined,
  packet: Packet,
  step: Step,
  reason: Hop['reason'],
  because: Because,
  layer: Hop['layer'],
): void {
  netns.simulation.emit({
    packet: packet.id,
    ...(packet.cause !== 0 && { cause: packet.cause }),
    node: netns.node,
    netns: netns.name,
    ...(device !== undefined && { link: device.name }),
    step,
    reason,
    because,
    layer,
    bytes: packet.copy(),
  })
}
