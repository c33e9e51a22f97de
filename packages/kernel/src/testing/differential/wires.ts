import type { CapturedFrame } from '../../capture.ts'
import { isTraffic, type PacketScenario } from './packet-scenario.ts'
import { nameOf } from './scenario.ts'

/** One end of a veth pair, and how a marker leaves by it. */
export interface WireEnd {
  readonly at: string
  readonly link: string
  /** Last octet of the group that leads out here. */
  readonly group: number
}

/** The ends that are watched in a namespace: of each pair the one that was made as the peer, which sees both ways. */
export function watched(wires: readonly Wire[], at: string): readonly string[] {
  return wires.filter((wire) => wire.watched && wire.to.at === at).map(({ to }) => to.link)
}

/** Every veth end of a scenario with the end that its frames arrive at. */
export interface Wire {
  readonly from: WireEnd
  readonly to: WireEnd
  /** Whether what arrives at `to` is seen. */
  readonly watched: boolean
}

export function wiresOf({ steps }: PacketScenario): readonly Wire[] {
  const wires: Wire[] = []
  for (const step of steps) {
    if (isTraffic(step) || step.operation.op !== 'link.add' || step.operation.link.kind !== 'veth') continue
    const { name, peer } = step.operation.link
    const group = wires.length + 1
    const near = { at: step.at, link: name, group }
    const far = {
      at: peer.netns === undefined ? step.at : nameOf(peer.netns),
      link: peer.name,
      group: group + 1,
    }
    wires.push({ from: near, to: far, watched: true }, { from: far, to: near, watched: false })
  }
  return wires
}

/** Groups that nobody joins, one for each end: what is sent there leaves by that link without asking for a neighbor. */
const GROUPS = '239.255.0.'
export const MARKER_PORT = 4242

export function isMarkerAddress(address: string): boolean {
  return address.startsWith(GROUPS)
}

export function markerAddress({ group }: WireEnd): string {
  return `${GROUPS}${group}`
}

/** The number that a marker carries, where the frame is one. */
export function markerOf({ bytes }: CapturedFrame): number | undefined {
  const isMarker =
    bytes.length >= 46 &&
    bytes[12] === 8 &&
    bytes[13] === 0 &&
    bytes[30] === 239 &&
    bytes[31] === 255 &&
    bytes[32] === 0
  if (!isMarker) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(42)
}
