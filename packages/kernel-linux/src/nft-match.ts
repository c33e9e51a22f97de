import type { NftExpression, NftField, NftKey } from '@podfabric/kernel'
import type { NftElement } from './nft-element.ts'
import { CMP_EQ, CMP_GTE, CMP_LTE, CMP_NEQ, META_MARK } from './nft-field.ts'
import type { NftInstruction } from './nft-instruction.ts'
import { keyInterval } from './nft-key.ts'
import { loadFields, namedFor, type RuleScope, swapsFor } from './nft-lookup.ts'
import { elementOf } from './nft-set.ts'
import {
  big,
  inKernelOrder,
  invalidNft,
  isSingle,
  maskOf,
  type NftInterval,
  type NftKind,
  nftKinds,
} from './nft-value.ts'

export type NftMatch = Extract<NftExpression, { readonly match: unknown }>

/** The instructions of a match, as nft(8) has them for the same words. EINVAL, and what `sets` throws. */
export function lowerMatch(match: NftMatch, scope: RuleScope): NftInstruction[] {
  if ('mask' in match) return lowerMasked(match)
  const fields: readonly NftField[] = typeof match.match === 'string' ? [match.match] : match.match
  const { kinds, instructions } = loadFields(fields, scope)
  const invert = match.op === '!='
  const { value } = match
  if (typeof value === 'object' && 'set' in value) {
    const facts = namedFor(match.match, kinds, value.set, scope.sets)
    const lookup: NftInstruction = { name: 'lookup', from: 1, set: value.set, invert }
    return [...instructions, ...swapsFor(kinds, facts), lookup]
  }
  if (typeof value === 'object' && value.length === 0) {
    throw invalidNft(`${fields.join(' . ')}: there is nothing in the list to match`)
  }
  const anonymous = (elements: readonly NftElement[]): NftInstruction[] => {
    const set = scope.sets.anonymous({ key: kinds }, elements)
    return [...swapsFor(kinds, set), { name: 'lookup', from: 1, set: set.name, id: set.id, invert }]
  }
  const list: readonly NftKey[] = typeof value === 'object' ? value : [value]
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1) {
    const facts = { key: kinds, interval: true }
    return [...instructions, ...anonymous(list.map((one) => elementOf('of a rule', facts, one)))]
  }
  const elements = list.map((one) => ({ interval: keyInterval(kinds, one) }))
  const [only] = elements
  const isOne = elements.length === 1 && only !== undefined
  return [...instructions, ...(isOne ? lowerValue(kind, only.interval, invert) : anonymous(elements))]
}

/** Some bits of the mark. */
function lowerMasked({ mask, op, value }: Extract<NftMatch, { readonly mask: number }>): NftInstruction[] {
  checkMasked(mask, value)
  const inOrder = (number: number) => inKernelOrder('mark', big(number, 4))
  return [
    { name: 'meta', to: 1, key: META_MARK },
    { name: 'bitwise', at: 1, mask: inOrder(mask), xor: new Uint8Array(4) },
    { name: 'cmp', from: 1, op: op === '!=' ? CMP_NEQ : CMP_EQ, data: inOrder(value) },
  ]
}

/** EINVAL where the value has bits that the mask has not. */
export function checkMasked(mask: number, value: number): void {
  for (const number of [mask, value]) {
    if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff)
      throw invalidNft(`${number} is not a mark of 32 bits`)
  }
  if (mask === 0) throw invalidNft('a mask of no bits has nothing to compare or set')
  if ((value & ~mask) !== 0) throw invalidNft(`${value} has bits that are not in the mask ${mask}`)
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
  const swapped: NftInstruction[] =
    nftKinds[kind].hostOrder === true ? [{ name: 'byteorder', at: 1, length: 4 }] : []
  if (invert) return [...swapped, { name: 'range', from: 1, op: CMP_NEQ, first, last }]
  return [
    ...swapped,
    { name: 'cmp', from: 1, op: CMP_GTE, data: first },
    { name: 'cmp', from: 1, op: CMP_LTE, data: last },
  ]
}
