import {
  KernelError,
  type NftChain,
  type NftMap,
  type NftMapping,
  type NftObject,
  type NftRule,
  type NftSet,
  type NftTable,
} from '@podfabric/kernel'
import { Attributes, type NetlinkMessage } from './netlink-message.ts'
import type { NetlinkSocket } from './netlink-socket.ts'
import { printedElements, readElements } from './nft-element.ts'
import { readInstructions } from './nft-instruction.ts'
import { typeOfKinds } from './nft-key.ts'
import {
  familyIn,
  NFGEN_LENGTH,
  NFT_GETCHAIN,
  NFT_GETGEN,
  NFT_GETRULE,
  NFT_GETSET,
  NFT_GETSETELEM,
  NFT_GETTABLE,
  nftMessage,
} from './nft-message.ts'
import { decodeComment } from './nft-rule.ts'
import { type PrintedSet, raiseRule } from './nft-rule-reader.ts'
import { type NftSetFacts, readSetFacts } from './nft-set.ts'
import { nftHooks } from './nft-transaction.ts'
import { numberOf } from './nft-value.ts'

const LABEL = 'nft list ruleset'
/** How often a list that the ruleset changed under is read again before giving up. */
const ATTEMPTS = 20

interface FoundSet extends NftSetFacts, PrintedSet {
  readonly family: NftObject['family']
  readonly table: string
  readonly name: string
  readonly anonymous: boolean
}

/** All that the contract has words for: tables, sets and maps with their elements, chains, rules. EBUSY, EPROTO. */
export function readRuleset(socket: NetlinkSocket): readonly NftObject[] {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = generation(socket)
    const objects = readOnce(socket)
    if (objects !== undefined && generation(socket) === before) return objects
  }
  throw new KernelError('EBUSY', LABEL, `the ruleset changed during each of ${ATTEMPTS} readings`)
}

/** Which ruleset it is: another number after every transaction. EOPNOTSUPP where the kernel has no nftables. */
export function generation(socket: NetlinkSocket): number {
  const [message] = askGeneration(socket)
  const id = message === undefined ? undefined : new Attributes(message.payload, NFGEN_LENGTH).u32Big(1)
  if (id === undefined) throw new KernelError('EPROTO', LABEL, 'the kernel sent no generation')
  return id
}

function askGeneration(socket: NetlinkSocket): readonly NetlinkMessage[] {
  try {
    return socket.request(nftMessage(NFT_GETGEN), LABEL)
  } catch (error) {
    // A request without arguments is invalid only to a netfilter that has no such subsystem.
    if (!(error instanceof KernelError) || error.code !== 'EINVAL') throw error
    const reason = 'this kernel has no nftables (nf_tables)'
    throw new KernelError('EOPNOTSUPP', LABEL, reason, { cause: error })
  }
}

function readOnce(socket: NetlinkSocket): readonly NftObject[] | undefined {
  try {
    const tables = rows(socket, NFT_GETTABLE).map(
      ({ family, attributes }): NftTable => ({ kind: 'table', family, name: attributes.text(1) ?? '' }),
    )
    const sets = readSets(socket)
    const chains = rows(socket, NFT_GETCHAIN).flatMap(readChain)
    const rules = rows(socket, NFT_GETRULE).flatMap((row) => readRule(row, sets))
    return [...tables, ...sets.flatMap(setObjects), ...chains, ...rules]
  } catch (error) {
    // A set that went away between two dumps: the generation will tell.
    if (error instanceof KernelError && error.code === 'ENOENT') return undefined
    throw error
  }
}

interface Row {
  readonly family: NftObject['family']
  readonly attributes: Attributes
}

function rows(socket: NetlinkSocket, type: number): readonly Row[] {
  return socket
    .dump(() => nftMessage(type), LABEL)
    .flatMap(({ payload }) => {
      const family = familyIn(payload)
      return family === undefined ? [] : [{ family, attributes: new Attributes(payload, NFGEN_LENGTH) }]
    })
}

function readSets(socket: NetlinkSocket): readonly FoundSet[] {
  return rows(socket, NFT_GETSET).flatMap(({ family, attributes }) => {
    const facts = readSetFacts(attributes)
    const [table, name] = [attributes.text(1), attributes.text(2)]
    if (facts === undefined || table === undefined || name === undefined) return []
    const ask = () => nftMessage(NFT_GETSETELEM, family).attributeText(1, table).attributeText(2, name)
    const found = socket
      .dump(ask, LABEL)
      .flatMap(({ payload }) => readElements(new Attributes(payload, NFGEN_LENGTH), facts))
    return [{ ...facts, family, table, name, elements: printedElements(facts, found) }]
  })
}

/** A set or map with what it holds; nothing where it has no name, or no words. */
function setObjects({ family, table, name, key, to, interval, anonymous, elements }: FoundSet): NftObject[] {
  const type = typeOfKinds(key)
  if (anonymous || type === undefined) return []
  const place = { family, table, name, type, ...(interval ? { interval } : {}) }
  const filled = { kind: 'elements', family, table } as const
  if (to === undefined) {
    const set: NftSet = { kind: 'set', ...place }
    return elements.length === 0
      ? [set]
      : [set, { ...filled, set: name, elements: elements.map((one) => one.key) }]
  }
  const data = to === 'verdict' ? to : typeOfKinds(to)
  if (data === undefined) return []
  const map: NftMap = { kind: 'map', ...place, to: data }
  const mappings = elements.filter((one): one is NftMapping => 'to' in one)
  return mappings.length === 0 ? [map] : [map, { ...filled, map: name, elements: mappings }]
}

function readChain({ family, attributes }: Row): NftChain[] {
  const [table, name, type] = [attributes.text(1), attributes.text(3), attributes.text(7)]
  if (table === undefined || name === undefined) return []
  const place = attributes.nested(4)
  if (place === undefined) return [{ kind: 'chain', family, table, name }]
  const hook = nftHooks[place.u32Big(1) ?? -1]
  if (hook === undefined || (type !== 'filter' && type !== 'nat')) return []
  const priority = (place.u32Big(2) ?? 0) | 0
  const policy = attributes.u32Big(5) === 0 ? 'drop' : 'accept'
  return [{ kind: 'chain', family, table, name, base: { type, hook, priority, policy } }]
}

function readRule({ family, attributes }: Row, sets: readonly FoundSet[]): NftRule[] {
  const [table, chain] = [attributes.text(1), attributes.text(2)]
  const instructions = readInstructions(attributes.bytes(4) ?? new Uint8Array())
  if (table === undefined || chain === undefined || instructions === undefined) return []
  const setNamed = (name: string) =>
    sets.find((set) => set.family === family && set.table === table && set.name === name)
  const expressions = raiseRule(instructions, family, setNamed)
  if (expressions === undefined) return []
  const data = attributes.bytes(7)
  const comment = data === undefined ? undefined : decodeComment(data)
  const handle = attributes.bytes(3)
  return [
    {
      kind: 'rule',
      family,
      table,
      chain,
      expressions,
      ...(comment === undefined ? {} : { comment }),
      ...(handle === undefined ? {} : { handle: numberOf(handle) }),
    },
  ]
}
