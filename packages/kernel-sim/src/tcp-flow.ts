import { type Family, familyOf, type Ip, ipFromBytes, ipToBytes } from '@podfabric/netaddr'
import { sumWords, u32At } from '@podfabric/wire'

/** The two addresses of a connection, seen from this end. One object for a connection's life: worth a cache's key. */
export interface TcpFlow {
  readonly family: 4 | 6
  readonly source: Ip
  readonly destination: Ip
  /** Source, then destination, as an IP header has them: 8 or 32 octets. */
  readonly octets: Uint8Array
}

export function tcpFlow(source: Ip, destination: Ip): TcpFlow {
  const family = familyOf(source)
  const size = octetsOf(family)
  const octets = new Uint8Array(2 * size)
  ipToBytes(source, octets, 0)
  ipToBytes(destination, octets, size)
  return { family, source, destination, octets }
}

/** The flow back to the sender of a packet whose addresses are at `bytes[at]`. */
export function tcpFlowBack(bytes: Uint8Array, at: number, family: Family): TcpFlow {
  const size = octetsOf(family)
  return tcpFlow(ipFromBytes(bytes, at + size, family), ipFromBytes(bytes, at, family))
}

/** The sum of the words of both addresses, for checksums. The same for both directions. */
export function addressSum(bytes: Uint8Array, at: number, family: Family): number {
  return sumWords(bytes, at, at + 2 * octetsOf(family))
}

export function octetsOf(family: Family): 4 | 16 {
  return family === 4 ? 4 : 16
}

/** A hash of a connection: its own and the other side's address at `bytes`, and both ports. */
export function tcpHash(
  bytes: Uint8Array,
  own: number,
  other: number,
  family: Family,
  ports: number,
): number {
  const size = octetsOf(family)
  let hash = ports
  for (let i = 0; i < size; i += 4) {
    hash = mix(hash, u32At(bytes, own + i))
    hash = mix(hash, u32At(bytes, other + i))
  }
  return hash >>> 0
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e37_79b1)
  return mixed ^ (mixed >>> 15)
}

/** Whether the addresses of `flow`, its own first, are at `bytes[own]` and `bytes[other]`. */
export function isFlow(
  flow: TcpFlow,
  bytes: Uint8Array,
  own: number,
  other: number,
  family: Family,
): boolean {
  if (flow.family !== family) return false
  const size = octetsOf(family)
  for (let i = 0; i < size; i++) {
    if (flow.octets[i] !== bytes[own + i] || flow.octets[size + i] !== bytes[other + i]) return false
  }
  return true
}
