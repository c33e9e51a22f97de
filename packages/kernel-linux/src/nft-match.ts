import type { NftExpression, NftFamily, NftField, NftValue } from '@podfabric/kernel'
import {
  CMP_EQ,
  CMP_GTE,
  CMP_LTE,
  CMP_NEQ,
  type Ensured,
  ensureProtocol,
  ensureVersion,
  type FieldSpec,
  nftFields,
} from './nft-field.ts'
import type { NftInstruction } from './nft-instruction.ts'
import type { NftSetFacts, NftSets } from './nft-set.ts'
import {
  inKernelOrder,
  intervalOf,
  invalidNft,
  isSingle,
  maskOf,
  type NftInterval,
  type NftKind,
  nftKinds,
} from './nft-value.ts'

export type NftMatch = Exclude<
  Extract<NftExpression, { readonly match: NftField }>,
  { readonly mask: number }
>

/** The instructions of a match, as nft(8) has them for the same words. EINVAL, and what `sets` throws. */
export function lowerMatch(
  match: NftMatch,
  family: NftFamily,
  ensured: Ensured,
  sets: NftSets,
): NftInstruction[] {
  const field = Object.hasOwn(nftFields, match.match) ? nftFields[match.match] : undefined
  if (field === undefined)
    throw invalidNft(`${JSON.stringify(match.match)} is not a field that rules can match`)
  const dependencies = [
    ...(field.version === undefined ? [] : ensureVersion(family, ensured, field.version)),
    ...(field.protocol === undefined ? [] : ensureProtocol(ensured, field.protocol)),
  ]
  return [...dependencies, field.load, ...lowerTest(match, field, sets)]
}

function lowerTest({ match, op, value }: NftMatch, { kind }: FieldSpec, sets: NftSets): NftInstruction[] {
  const invert = op === '!='
  if (typeof value === 'object' && 'set' in value) {
    const set = sets.named(value.set)
    if (set.type !== kind) {
      throw invalidNft(`${match} cannot be looked up in set ${value.set} of type ${set.type}`)
    }
    return lowerLookup(kind, set, { name: 'lookup', from: 1, set: value.set, invert })
  }
  const values: readonly NftValue[] = typeof value === 'object' ? value : [value]
  const [only] = values
  if (only === undefined) throw invalidNft(`${match}: there is nothing in the list to match`)
  const intervals = values.map((one) => intervalOf(kind, one))
  if (values.length === 1) return lowerValue(kind, intervalOf(kind, only), invert)
  const set = sets.anonymous(kind, intervals)
  return lowerLookup(kind, set, { name: 'lookup', from: 1, set: set.name, id: set.id, invert })
}

/** Sets with intervals are ordered octet by octet, which numbers in the processor's order are not. */
function lowerLookup(kind: NftKind, set: Pick<NftSetFacts, 'interval'>, lookup: NftInstruction) {
  const swapped: NftInstruction = { name: 'byteorder', at: 1 }
  return set.interval && nftKinds[kind].hostOrder === true ? [swapped, lookup] : [lookup]
}

function lowerValue(kind: NftKind, interval: NftInterval, invert: boolean): NftInstruction[] {
  const { first, last } = interval
  const op = invert ? CMP_NEQ : CMP_EQ
  if (isSingle(interval)) {
    const data = inKernelOrder(kind, first)
    // Conditions of a connection are bits: one alone asks for that bit.
    if (!invert && (kind === 'ct_state' || kind === 'ct_status')) {
      const zero = new Uint8Array(data.length)
      return [
        { name: 'bitwise', at: 1, mask: data, xor: zero },
        { name: 'cmp', from: 1, op: CMP_NEQ, data: zero },
      ]
    }
    return [{ name: 'cmp', from: 1, op, data }]
  }
  if (kind === 'ifname') return [{ name: 'cmp', from: 1, op, data: first.subarray(0, first.indexOf(0)) }]
  const mask = kind === 'ipv4_addr' || kind === 'ipv6_addr' ? maskOf(interval) : undefined
  if (mask !== undefined) {
    return [
      { name: 'bitwise', at: 1, mask, xor: new Uint8Array(mask.length) },
      { name: 'cmp', from: 1, op, data: first },
    ]
  }
  const swapped: NftInstruction[] = nftKinds[kind].hostOrder === true ? [{ name: 'byteorder', at: 1 }] : []
  if (invert) return [...swapped, { name: 'range', from: 1, op: CMP_NEQ, first, last }]
  return [
    ...swapped,
    { name: 'cmp', from: 1, op: CMP_GTE, data: first },
    { name: 'cmp', from: 1, op: CMP_LTE, data: last },
  ]
}
