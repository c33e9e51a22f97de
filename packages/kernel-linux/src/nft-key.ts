import {
  type NftConcatenation,
  type NftKey,
  type NftKeyType,
  type NftValue,
  nftKeyTypes,
} from '@podfabric/kernel'
import {
  inKernelOrder,
  intervalOf,
  invalidNft,
  isSingle,
  type NftInterval,
  type NftKind,
  nftKinds,
  printedValue,
} from './nft-value.ts'

/** The fields of a key, or of what a map maps to. Several are a concatenation. */
export type NftKinds = readonly NftKind[]

/** nft's number for a concatenation has so many bits for each of its types, the last type's lowest. */
const TYPE_BITS = 6
/** Where a field of a concatenation begins in a register. */
const WORD = 4

/** The type that has these fields; undefined where the contract has no words for it. */
export function typeOfKinds(kinds: NftKinds): NftKeyType | NftConcatenation | undefined {
  const types = kinds.filter((kind): kind is NftKeyType => nftKeyTypes.some((type) => type === kind))
  const [first, second, ...others] = types
  if (first === undefined || types.length !== kinds.length) return undefined
  return second === undefined ? first : [first, second, ...others]
}

/** Octets, with what fills up each field of a concatenation. */
export function keyLength(kinds: NftKinds): number {
  return fieldLengths(kinds).reduce((sum, length) => sum + length, 0)
}

/** Octets of each field in a key. */
export function fieldLengths(kinds: NftKinds): readonly number[] {
  const lengths = kinds.map((kind) => nftKinds[kind].length)
  return lengths.length === 1 ? lengths : lengths.map((length) => Math.ceil(length / WORD) * WORD)
}

/** nft's number for the type. */
export function typeCode(kinds: NftKinds): number {
  return kinds.reduce((code, kind) => code * 2 ** TYPE_BITS + nftKinds[kind].code, 0)
}

/** What `typeCode` and `keyLength` were made of; undefined for types that this package has no words for. */
export function kindsOfCode(code: number, length: number): NftKinds | undefined {
  const kinds: NftKind[] = []
  const known = Object.keys(nftKinds) as NftKind[]
  for (let rest = code; rest > 0; rest = Math.floor(rest / 2 ** TYPE_BITS)) {
    const kind = known.find((one) => nftKinds[one].code === rest % 2 ** TYPE_BITS)
    if (kind === undefined) return undefined
    kinds.unshift(kind)
  }
  return kinds.length > 0 && keyLength(kinds) === length ? kinds : undefined
}

/**
 * A key, each field with its most significant octet first and filled up behind. Of a concatenation with prefixes or ranges,
 * the first octets are each field's first, and so are the last. EINVAL.
 */
export function keyInterval(kinds: NftKinds, key: NftKey): NftInterval {
  const values: readonly NftValue[] = typeof key === 'object' ? key : [key]
  const [only] = kinds
  if (values.length !== kinds.length || (typeof key === 'object' && kinds.length === 1)) {
    throw invalidNft(`${JSON.stringify(key)} is not a key of ${kinds.join(' . ')}`)
  }
  if (kinds.length === 1 && only !== undefined) return intervalOf(only, values[0] ?? '')
  const first = new Uint8Array(keyLength(kinds))
  const last = new Uint8Array(first.length)
  let at = 0
  fieldLengths(kinds).forEach((length, i) => {
    const interval = intervalOf(kinds[i] as NftKind, values[i] as NftValue)
    first.set(interval.first, at)
    last.set(interval.last, at)
    at += length
  })
  return { first, last }
}

/** What `keyInterval` was given; undefined for what has no words. */
export function printedKey(kinds: NftKinds, { first, last }: NftInterval): NftKey | undefined {
  const [only] = kinds
  if (kinds.length === 1 && only !== undefined) return printedValue(only, { first, last })
  const values: NftValue[] = []
  for (const { kind, octets } of fieldsOf(kinds)) {
    const value = printedValue(kind, { first: octets(first), last: octets(last) })
    if (value === undefined) return undefined
    values.push(value)
  }
  return values
}

/** Each field of a key as the kernel keeps it, or back from that. */
export function keyInKernelOrder(kinds: NftKinds, key: Uint8Array): Uint8Array {
  const turned = key.slice()
  for (const { kind, at, octets } of fieldsOf(kinds)) turned.set(inKernelOrder(kind, octets(key)), at)
  return turned
}

/** EINVAL for a pattern of names, which no set that has a name takes. */
export function refusePatterns(name: string, kinds: NftKinds, key: NftKey, interval: NftInterval): void {
  for (const { kind, octets } of fieldsOf(kinds)) {
    if (kind === 'ifname' && !isSingle({ first: octets(interval.first), last: octets(interval.last) })) {
      throw invalidNft(`set ${name} takes names of links, not patterns like ${key}`)
    }
  }
}

function fieldsOf(kinds: NftKinds) {
  let next = 0
  return fieldLengths(kinds).map((length, i) => {
    const at = next
    next += length
    const kind = kinds[i] as NftKind
    const octets = (key: Uint8Array) => key.subarray(at, at + nftKinds[kind].length)
    return { kind, at, octets }
  })
}
