import { type NftKey, type NftMap, type NftMapping, type NftSet, nftFieldTypes } from '@podfabric/kernel'
import type { Attributes, NetlinkWriter } from './netlink-message.ts'
import type { NftElement } from './nft-element.ts'
import {
  fieldLengths,
  keyInterval,
  keyLength,
  kindsOfCode,
  type NftKinds,
  refusePatterns,
  typeCode,
} from './nft-key.ts'
import { big, invalidNft, isSingle, nftKinds } from './nft-value.ts'
import { isVerdict, verdictOf } from './nft-verdict.ts'

const SET_ANONYMOUS = 1
const SET_CONSTANT = 2
const SET_INTERVAL = 4
const SET_MAP = 8
const SET_CONCATENATION = 0x80
/** Sets with timeouts, evaluated ones, maps of objects: none of the contract's. */
const SET_KNOWN = SET_ANONYMOUS | SET_CONSTANT | SET_INTERVAL | SET_MAP | SET_CONCATENATION
/** NFT_DATA_VERDICT. */
const VERDICT_TYPE = 0xffff_ff00
/** libnftnl's: which order the keys and the data are in. nft prints by them. */
const ORDER_OF_KEYS = 0
const ORDER_OF_DATA = 1
const NO_ORDER = 0
const HOST_ORDER = 1
const NETWORK_ORDER = 2

/** What a set's or map's elements are made of. */
export interface NftSetFacts {
  readonly key: NftKinds
  readonly interval: boolean
  /** Of a map. */
  readonly to?: 'verdict' | NftKinds
}

/** The sets and maps that a rule may ask. */
export interface NftSets {
  /** ENOENT. */
  named(name: string): NftSetFacts
  /** Makes one for this rule alone; with intervals where some key is one. */
  anonymous(
    facts: Omit<NftSetFacts, 'interval'>,
    elements: readonly NftElement[],
  ): { readonly name: string; readonly id: number; readonly interval: boolean }
}

/** EINVAL for types that are none. */
export function factsOf(set: NftSet | NftMap): NftSetFacts {
  const facts = { key: nftFieldTypes(set.name, set.type), interval: set.interval === true }
  if (set.kind === 'set') return facts
  return { ...facts, to: set.to === 'verdict' ? 'verdict' : nftFieldTypes(set.name, set.to) }
}

/** NFTA_SET_*, but the table. */
export function writeNamedSet(writer: NetlinkWriter, name: string, facts: NftSetFacts, id: number): void {
  writeSet(writer, name, facts, 0, id)
}

export function writeAnonymousSet(writer: NetlinkWriter, name: string, facts: NftSetFacts, id: number): void {
  writeSet(writer, name, facts, SET_ANONYMOUS | SET_CONSTANT, id)
}

function writeSet(writer: NetlinkWriter, name: string, facts: NftSetFacts, kind: number, id: number): void {
  const { interval, key, to } = facts
  const ranges = interval ? SET_INTERVAL | (key.length > 1 ? SET_CONCATENATION : 0) : 0
  writer
    .attributeText(2, name)
    .attribute(3, big(kind | ranges | (to === undefined ? 0 : SET_MAP), 4))
    .attribute(4, big(typeCode(key), 4))
    .attribute(5, big(keyLength(key), 4))
  if (to !== undefined) {
    writer.attribute(6, big(to === 'verdict' ? VERDICT_TYPE : typeCode(to), 4))
    writer.attribute(7, big(to === 'verdict' ? 0 : keyLength(to), 4))
  }
  if ((ranges & SET_CONCATENATION) !== 0) {
    writer.nest(9, (description) =>
      description.nest(2, (fields) => {
        for (const length of fieldLengths(key)) fields.nest(1, (field) => field.attribute(1, big(length, 4)))
      }),
    )
  }
  const order = [ORDER_OF_KEYS, 4, orderOf(key), 0, 0, 0]
  if (to !== undefined) order.push(ORDER_OF_DATA, 4, to === 'verdict' ? NO_ORDER : orderOf(to), 0, 0, 0)
  writer.attribute(10, big(id, 4)).attribute(13, Uint8Array.from(order))
}

function orderOf(kinds: NftKinds): number {
  const [kind] = kinds
  if (kinds.length > 1 || kind === undefined) return NO_ORDER
  // nft counts names among what the processor orders, though their octets stay as they are.
  return nftKinds[kind].hostOrder === true || kind === 'ifname' ? HOST_ORDER : NETWORK_ORDER
}

/** Of a set's message; undefined where the contract has no words for such a set. */
export function readSetFacts(
  attributes: Attributes,
): (NftSetFacts & { readonly anonymous: boolean }) | undefined {
  const flags = attributes.u32Big(3) ?? 0
  if ((flags & ~SET_KNOWN) !== 0) return undefined
  const key = kindsOfCode(attributes.u32Big(4) ?? 0, attributes.u32Big(5) ?? 0)
  if (key === undefined) return undefined
  const facts = { key, interval: (flags & SET_INTERVAL) !== 0, anonymous: (flags & SET_ANONYMOUS) !== 0 }
  if ((flags & SET_MAP) === 0) return facts
  const code = attributes.u32Big(6) ?? 0
  const to = code === VERDICT_TYPE ? 'verdict' : kindsOfCode(code, attributes.u32Big(7) ?? 0)
  return to === undefined ? undefined : { ...facts, to }
}

/** An element of a set as a transaction has it; without a value where a map's element is to be deleted. EINVAL. */
export function elementOf(
  name: string,
  { interval, key: kinds, to }: NftSetFacts,
  key: NftKey,
  value?: NftMapping['to'],
): NftElement {
  const found = keyInterval(kinds, key)
  refusePatterns(name, kinds, key, found)
  if (!interval && !isSingle(found)) throw invalidNft(`set ${name} takes ${key} only with the interval flag`)
  if (value === undefined) return { interval: found }
  return { interval: found, value: mappedValue(name, to, value) }
}

/** What a map's element holds. EINVAL where it is not of the map's type. */
export function mappedValue(
  name: string,
  to: NftSetFacts['to'],
  value: NftMapping['to'],
): NonNullable<NftElement['value']> {
  if (to === undefined) throw invalidNft(`${name} is a set: its elements have no values`)
  if (to === 'verdict') {
    if (!isVerdict(value)) throw invalidNft(`map ${name} maps to verdicts, not to ${JSON.stringify(value)}`)
    return verdictOf(value)
  }
  if (isVerdict(value)) throw invalidNft(`map ${name} maps to ${to.join(' . ')}, not to verdicts`)
  const data = keyInterval(to, value)
  if (!isSingle(data)) throw invalidNft(`map ${name} maps to single values, not to ${JSON.stringify(value)}`)
  return data.first
}
