import { KernelError, type NftKey, type NftKeyType, type NftSet } from '@podfabric/kernel'
import { type Attribute, Attributes, attributeList, type NetlinkWriter } from './netlink-message.ts'
import { endpointsOf, type NftEndpoint } from './nft-interval.ts'
import {
  big,
  inKernelOrder,
  intervalOf,
  invalidNft,
  isSingle,
  type NftInterval,
  type NftKind,
  nftKinds,
  numberOf,
  unsupportedNft,
} from './nft-value.ts'

const SET_ANONYMOUS = 1
const SET_CONSTANT = 2
const SET_INTERVAL = 4
/** Maps, sets with timeouts, evaluated ones, concatenations: none of the contract's. */
const SET_KNOWN = SET_ANONYMOUS | SET_CONSTANT | SET_INTERVAL
const ELEMENT_INTERVAL_END = 1
/** libnftnl's: which order the keys are in, and that an interval has no end. nft prints by them. */
const ORDER_OF_KEYS = 0
const HOST_ORDER = 1
const NETWORK_ORDER = 2
const FLAGS_OF_ELEMENT = 1
const OPEN_INTERVAL = 1

export interface NftSetFacts {
  readonly type: NftKind
  readonly interval: boolean
}

/** The sets that a rule may ask. */
export interface NftSets {
  /** ENOENT. */
  named(name: string): NftSetFacts
  /** Makes one for this rule alone. */
  anonymous(
    kind: NftKind,
    intervals: readonly NftInterval[],
  ): { readonly name: string; readonly id: number; readonly interval: boolean }
}

export const keyTypes: readonly NftKeyType[] = [
  'ipv4_addr',
  'ipv6_addr',
  'inet_proto',
  'inet_service',
  'ifname',
  'mark',
]

/** NFTA_SET_*, but the table. EINVAL for a type that is none. */
export function writeNamedSet(writer: NetlinkWriter, set: NftSet, id: number): void {
  if (typeof set.type !== 'string') throw unsupportedNft('concatenations')
  if (!keyTypes.includes(set.type)) {
    throw invalidNft(`set ${set.name} has keys of no known type: ${JSON.stringify(set.type)}`)
  }
  writeSet(writer, set.name, set.type, set.interval === true ? SET_INTERVAL : 0, id)
}

export function writeAnonymousSet(
  writer: NetlinkWriter,
  name: string,
  { type, interval }: NftSetFacts,
  id: number,
): void {
  writeSet(writer, name, type, SET_ANONYMOUS | SET_CONSTANT | (interval ? SET_INTERVAL : 0), id)
}

function writeSet(writer: NetlinkWriter, name: string, type: NftKind, flags: number, id: number): void {
  const { code, length, hostOrder } = nftKinds[type]
  // nft counts names among what the processor orders, though their octets stay as they are.
  const order = hostOrder === true || type === 'ifname' ? HOST_ORDER : NETWORK_ORDER
  writer
    .attributeText(2, name)
    .attribute(3, big(flags, 4))
    .attribute(4, big(code, 4))
    .attribute(5, big(length, 4))
    .attribute(10, big(id, 4))
    .attribute(13, Uint8Array.of(ORDER_OF_KEYS, 4, order, 0, 0, 0))
}

/** Of a set's message; undefined where the contract has no words for such a set. */
export function readSetFacts(
  attributes: Attributes,
): (NftSetFacts & { readonly anonymous: boolean }) | undefined {
  const flags = attributes.u32Big(3) ?? 0
  const code = attributes.u32Big(4) ?? 0
  const length = attributes.u32Big(5) ?? 0
  if ((flags & ~SET_KNOWN) !== 0) return undefined
  const kinds = Object.keys(nftKinds) as NftKind[]
  const type = kinds.find((kind) => nftKinds[kind].code === code && nftKinds[kind].length === length)
  if (type === undefined) return undefined
  return { type, interval: (flags & SET_INTERVAL) !== 0, anonymous: (flags & SET_ANONYMOUS) !== 0 }
}

/** The intervals of elements for a set. EINVAL for what the set does not take. */
export function elementIntervals(
  name: string,
  { type, interval }: NftSetFacts,
  values: readonly NftKey[],
): readonly NftInterval[] {
  return values.map((value) => {
    if (typeof value === 'object') throw unsupportedNft('concatenations')
    const found = intervalOf(type, value)
    if (type === 'ifname' && !isSingle(found)) {
      throw invalidNft(`set ${name} takes names of links, not patterns like ${value}`)
    }
    if (!interval && !isSingle(found))
      throw invalidNft(`set ${name} takes ${value} only with the interval flag`)
    return found
  })
}

/** NFTA_SET_ELEM_LIST_ELEMENTS. */
export function writeElements(
  writer: NetlinkWriter,
  { type, interval }: NftSetFacts,
  intervals: readonly NftInterval[],
): void {
  writer.nest(3, (list) => {
    for (const one of intervals) {
      const ends: readonly NftEndpoint[] = interval ? endpointsOf(one) : [{ key: one.first, end: false }]
      for (const end of ends) writeElement(list, interval ? end.key : inKernelOrder(type, end.key), end)
    }
  })
}

function writeElement(list: NetlinkWriter, key: Uint8Array, { end, open }: NftEndpoint): void {
  list.nest(1, (element) => {
    element.nest(1, (data) => data.attribute(1, key))
    if (end) element.attribute(3, big(ELEMENT_INTERVAL_END, 4))
    if (open === true) element.attribute(6, Uint8Array.of(FLAGS_OF_ELEMENT, 4, OPEN_INTERVAL, 0, 0, 0))
  })
}

/** The elements in one message of a set's dump. EPROTO. */
export function readElements(payload: Attributes, { type, interval }: NftSetFacts): readonly NftEndpoint[] {
  const list = payload.bytes(3)
  return list === undefined ? [] : attributeList(list).map((element) => readElement(element, type, interval))
}

function readElement({ value }: Attribute, type: NftKind, interval: boolean): NftEndpoint {
  const element = new Attributes(value)
  const key = element.nested(1)?.bytes(1)
  if (key?.length !== nftKinds[type].length)
    throw new KernelError('EPROTO', 'nft list set', 'the kernel sent an element without a key')
  return {
    key: interval ? key : inKernelOrder(type, key),
    end: (numberOf(element.bytes(3) ?? new Uint8Array(4)) & ELEMENT_INTERVAL_END) !== 0,
  }
}
