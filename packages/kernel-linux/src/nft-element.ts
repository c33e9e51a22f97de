import { KernelError, type NftKey, type NftMapping } from '@podfabric/kernel'
import { type Attribute, Attributes, attributeList, type NetlinkWriter } from './netlink-message.ts'
import { endpointsOf, intervalsBetween, type NftEndpoint } from './nft-interval.ts'
import { keyInKernelOrder, keyLength, type NftKinds, printedKey } from './nft-key.ts'
import type { NftSetFacts } from './nft-set.ts'
import { big, compareOctets, type NftInterval, numberOf } from './nft-value.ts'
import { type NftVerdictCode, printedVerdict } from './nft-verdict.ts'

const KEY = 1
const DATA = 2
const FLAGS = 3
const USER_DATA = 6
const KEY_END = 10
const DATA_VALUE = 1
const DATA_VERDICT = 2
const VERDICT_CODE = 1
const VERDICT_CHAIN = 2
const INTERVAL_END = 1
const CATCH_ALL = 2
/** libnftnl's: that an interval has no end. */
const FLAGS_OF_ELEMENT = 1
const OPEN_INTERVAL = 1

/** An element, or what a map's key is mapped to with it; octets are those of `keyInterval`. */
export interface NftElement {
  readonly interval: NftInterval
  readonly value?: Uint8Array | NftVerdictCode
}

/** NFTA_SET_ELEM_LIST_ELEMENTS. */
export function writeElements(
  writer: NetlinkWriter,
  facts: NftSetFacts,
  elements: readonly NftElement[],
): void {
  const { interval, key, to } = facts
  const data = to === 'verdict' ? undefined : to
  writer.nest(3, (list) => {
    for (const { interval: one, value } of elements) {
      if (interval && key.length === 1) {
        for (const end of endpointsOf(one)) writeElement(list, end, end.end ? undefined : value, data)
      } else if (interval) {
        writeElement(list, { key: one.first, end: false, last: one.last }, value, data)
      } else {
        writeElement(list, { key: keyInKernelOrder(key, one.first), end: false }, value, data)
      }
    }
  })
}

interface Written extends NftEndpoint {
  /** Of a concatenation with intervals. */
  readonly last?: Uint8Array
}

function writeElement(
  list: NetlinkWriter,
  { key, end, open, last }: Written,
  value: NftElement['value'],
  data: NftKinds | undefined,
): void {
  list.nest(1, (element) => {
    element.nest(KEY, (inner) => inner.attribute(DATA_VALUE, key))
    if (last !== undefined) element.nest(KEY_END, (inner) => inner.attribute(DATA_VALUE, last))
    if (value !== undefined) element.nest(DATA, (inner) => writeValue(inner, value, data))
    if (end) element.attribute(FLAGS, big(INTERVAL_END, 4))
    if (open === true)
      element.attribute(USER_DATA, Uint8Array.of(FLAGS_OF_ELEMENT, 4, OPEN_INTERVAL, 0, 0, 0))
  })
}

function writeValue(
  writer: NetlinkWriter,
  value: NonNullable<NftElement['value']>,
  data: NftKinds | undefined,
): void {
  if (!('code' in value)) {
    writer.attribute(DATA_VALUE, data === undefined ? value : keyInKernelOrder(data, value))
    return
  }
  writer.nest(DATA_VERDICT, (verdict) => {
    verdict.attribute(VERDICT_CODE, big(value.code >>> 0, 4))
    if (value.chain !== undefined) verdict.attributeText(VERDICT_CHAIN, value.chain)
  })
}

/** An element as a dump has it. */
export interface FoundElement extends Written {
  readonly value?: NonNullable<NftElement['value']>
}

/** The elements in one message of a set's dump. EPROTO. */
export function readElements(payload: Attributes, facts: NftSetFacts): readonly FoundElement[] {
  const list = payload.bytes(3)
  return list === undefined ? [] : attributeList(list).flatMap((element) => readElement(element, facts) ?? [])
}

/** Undefined for what stands for all other keys: the contract has no words for it. */
function readElement(
  { value }: Attribute,
  { interval, key: kinds, to }: NftSetFacts,
): FoundElement | undefined {
  const element = new Attributes(value)
  const flags = numberOf(element.bytes(FLAGS) ?? new Uint8Array(4))
  if ((flags & CATCH_ALL) !== 0) return undefined
  const key = element.nested(KEY)?.bytes(DATA_VALUE)
  const last = element.nested(KEY_END)?.bytes(DATA_VALUE)
  const length = keyLength(kinds)
  if (key?.length !== length || (last ?? key).length !== length) throw malformedElement('a key')
  const data = readValue(element.nested(DATA), to)
  return {
    key: interval ? key : keyInKernelOrder(kinds, key),
    end: (flags & INTERVAL_END) !== 0,
    ...(last === undefined ? {} : { last }),
    ...(data === undefined ? {} : { value: data }),
  }
}

function readValue(data: Attributes | undefined, to: NftSetFacts['to']): FoundElement['value'] {
  if (data === undefined || to === undefined) return undefined
  if (to !== 'verdict') {
    const octets = data.bytes(DATA_VALUE)
    if (octets?.length !== keyLength(to)) throw malformedElement('a value of its length')
    return keyInKernelOrder(to, octets)
  }
  const verdict = data.nested(DATA_VERDICT)
  const code = verdict?.u32Big(VERDICT_CODE)
  if (code === undefined) throw malformedElement('a verdict')
  const chain = verdict?.text(VERDICT_CHAIN)
  return chain === undefined ? { code: code | 0 } : { code: code | 0, chain }
}

function malformedElement(what: string): KernelError {
  return new KernelError('EPROTO', 'nft list set', `the kernel sent an element without ${what}`)
}

/** All that a set holds, in order of its keys, in the contract's words; without what has none. */
export function printedElements(
  facts: NftSetFacts,
  found: readonly FoundElement[],
): readonly (NftMapping | { readonly key: NftKey })[] {
  return elementsOf(facts, found).flatMap(({ interval, value }) => {
    const key = printedKey(facts.key, interval)
    if (key === undefined) return []
    if (facts.to === undefined) return [{ key }]
    const to = printedTo(facts.to, value)
    return to === undefined ? [] : [{ key, to }]
  })
}

function elementsOf({ interval, key }: NftSetFacts, found: readonly FoundElement[]): readonly NftElement[] {
  if (interval && key.length === 1) return intervalsBetween(found)
  return found
    .map(({ key: first, last = first, value }) => ({
      interval: { first, last },
      ...(value === undefined ? {} : { value }),
    }))
    .toSorted(
      ({ interval: a }, { interval: b }) => compareOctets(a.first, b.first) || compareOctets(a.last, b.last),
    )
}

function printedTo(
  to: NonNullable<NftSetFacts['to']>,
  value: NftElement['value'],
): NftMapping['to'] | undefined {
  if (value === undefined) return undefined
  if ('code' in value) return to === 'verdict' ? printedVerdict(value) : undefined
  return to === 'verdict' ? undefined : printedKey(to, { first: value, last: value })
}
