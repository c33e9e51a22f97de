import {
  ipVersionAt,
  ipv4DestinationAt,
  ipv4HeaderLengthAt,
  ipv4IsFragmentAt,
  ipv4ProtocolAt,
  ipv4SourceAt,
  u32At,
} from './peek.ts'

/**
 * A 32-bit hash of the flow that the IP packet at `bytes[at, end)` belongs to: addresses, protocol and, for UDP,
 * TCP and SCTP, ports. Fragments and packets that are too short hash without ports, so that all fragments of
 * one datagram agree. Not symmetric: the two directions of a flow differ. 0 where there is no IP packet.
 */
export function flowHashAt(bytes: Uint8Array, at: number, end: number): number {
  const version = at < end ? ipVersionAt(bytes, at) : 0
  if (version === 4 && at + 20 <= end) return ipv4FlowHash(bytes, at, end)
  if (version === 6 && at + 40 <= end) return ipv6FlowHash(bytes, at, end)
  return 0
}

function ipv4FlowHash(bytes: Uint8Array, at: number, end: number): number {
  const protocol = ipv4ProtocolAt(bytes, at)
  const inside = at + ipv4HeaderLengthAt(bytes, at)
  const ports =
    hasPorts(protocol) && inside + 4 <= end && !ipv4IsFragmentAt(bytes, at) ? u32At(bytes, inside) : 0
  let h = mix(protocol, ipv4SourceAt(bytes, at))
  h = mix(h, ipv4DestinationAt(bytes, at))
  return finish(mix(h, ports))
}

function ipv6FlowHash(bytes: Uint8Array, at: number, end: number): number {
  const protocol = bytes[at + 6] as number
  let h = mix(protocol, (u32At(bytes, at) & 0xf_ffff) | 0)
  for (let i = 8; i < 40; i += 4) h = mix(h, u32At(bytes, at + i))
  return finish(mix(h, hasPorts(protocol) && at + 44 <= end ? u32At(bytes, at + 40) : 0))
}

function hasPorts(protocol: number): boolean {
  return protocol === 17 || protocol === 6 || protocol === 132
}

function mix(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e37_79b1)
  return (h ^ (h >>> 15)) | 0
}

function finish(hash: number): number {
  const h = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  return (h ^ (h >>> 13)) >>> 0
}
