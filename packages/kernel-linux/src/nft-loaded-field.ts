import type { NftField } from '@podfabric/kernel'
import { META_NFPROTO, META_PROTOCOL, NETWORK_HEADER, nftFields } from './nft-field.ts'
import type { NftInstruction, NftLoad } from './nft-instruction.ts'
import { type NftInterval, type NftKind, nftKinds } from './nft-value.ts'

export function isLoad(instruction: NftInstruction): instruction is NftLoad {
  const { name } = instruction
  return name === 'payload' || name === 'meta' || name === 'ct' || name === 'fib'
}

export function oneOctet(value: number): NftInterval {
  return { first: Uint8Array.of(value), last: Uint8Array.of(value) }
}

export function versionOf(key: number, value: number): 4 | 6 | undefined {
  if (key === META_NFPROTO) return value === 2 ? 4 : value === 10 ? 6 : undefined
  if (key === META_PROTOCOL) return value === 0x0800 ? 4 : value === 0x86dd ? 6 : undefined
  return undefined
}

/** Which field is loaded: of an address also its first octets only, as nft does for some prefixes. */
export function fieldOf(
  load: NftInstruction,
  version: 4 | 6 | undefined,
  protocol: number | undefined,
): NftField | undefined {
  for (const [name, field] of Object.entries(nftFields)) {
    const known = field.load
    if (field.version !== undefined && field.version !== version) continue
    if (field.protocol !== undefined && field.protocol !== protocol) continue
    if (load.name === 'payload' && known.name === 'payload') {
      const shorter = load.base === NETWORK_HEADER && load.length < known.length
      if (load.base !== known.base || load.offset !== known.offset) continue
      if (load.length === known.length || shorter) return name as NftField
    } else if (load.name === 'fib' && known.name === 'fib') {
      if (load.result === known.result && load.flags === known.flags) return name as NftField
    } else if ((load.name === 'meta' || load.name === 'ct') && known.name === load.name) {
      if (load.key === known.key) return name as NftField
    }
  }
  return undefined
}

/** What equals `data`: fewer octets than a field has mean all values that begin so. */
export function comparedInterval(kind: NftKind, data: Uint8Array, octets: number): NftInterval | undefined {
  const { length } = nftKinds[kind]
  const known = Math.min(data.length, octets)
  if (known === length) return { first: data, last: data }
  const open = kind === 'ifname' || ((kind === 'ipv4_addr' || kind === 'ipv6_addr') && known === octets)
  if (!open || data.length > length) return undefined
  const first = new Uint8Array(length)
  first.set(data)
  const last = new Uint8Array(length).fill(0xff)
  last.set(data)
  return { first, last }
}
