import { KernelError } from './error.ts'
import type { NftConcatenation, NftKeyType } from './nft.ts'

/** The types that keys, and what maps map to, are made of. */
export const nftKeyTypes: readonly NftKeyType[] = [
  'ipv4_addr',
  'ipv6_addr',
  'inet_proto',
  'inet_service',
  'ifname',
  'mark',
]

/** As nft(8) takes them. */
const MOST_FIELDS = 5
/** Linux: NFT_DATA_VALUE_MAXLEN. */
const MOST_OCTETS = 64

/**
 * The fields of a set's or map's type, one or those of its concatenation. EINVAL, naming the set: for a type that is none, for a
 * concatenation of other than 2 to 5 types, and for one of more than 64 octets.
 */
export function nftFieldTypes(set: string, type: NftKeyType | NftConcatenation): readonly NftKeyType[] {
  const types: readonly NftKeyType[] = typeof type === 'string' ? [type] : type
  const unknown = types.find((each) => !nftKeyTypes.includes(each))
  if (unknown !== undefined) throw invalid(`set ${set} has keys of no known type: ${JSON.stringify(unknown)}`)
  if (typeof type !== 'string' && (types.length < 2 || types.length > MOST_FIELDS)) {
    throw invalid(`set ${set} has a concatenation of ${types.length} types, not of 2 to ${MOST_FIELDS}`)
  }
  const octets = types.reduce((sum, each) => sum + octetsOf(each), 0)
  if (octets > MOST_OCTETS) {
    throw invalid(`set ${set} has a concatenation of ${octets} octets, more than ${MOST_OCTETS}`)
  }
  return types
}

/** With what fills up a field of a concatenation. */
function octetsOf(type: NftKeyType): number {
  return type === 'ipv6_addr' || type === 'ifname' ? 16 : 4
}

function invalid(reason: string): KernelError {
  return new KernelError('EINVAL', 'nft', reason)
}
