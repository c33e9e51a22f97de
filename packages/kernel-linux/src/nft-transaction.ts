import {
  formatNft,
  KernelError,
  type NftChain,
  type NftCommand,
  type NftElements,
  type NftMapKeys,
  type NftObject,
  type NftSetElements,
} from '@podfabric/kernel'
import {
  attributeList,
  type NetlinkWriter,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
} from './netlink-message.ts'
import { type NftElement, writeElements } from './nft-element.ts'
import { writeInstructions } from './nft-instruction.ts'
import { mergedIntervals } from './nft-interval.ts'
import {
  NFT_DELCHAIN,
  NFT_DELRULE,
  NFT_DELSET,
  NFT_DELSETELEM,
  NFT_DELTABLE,
  NFT_NEWCHAIN,
  NFT_NEWRULE,
  NFT_NEWSET,
  NFT_NEWSETELEM,
  NFT_NEWTABLE,
  nftMessage,
} from './nft-message.ts'
import { encodeComment, lowerRule } from './nft-rule.ts'
import {
  elementOf,
  factsOf,
  type NftSetFacts,
  type NftSets,
  writeAnonymousSet,
  writeNamedSet,
} from './nft-set.ts'
import { big, invalidNft, isSingle, type NftInterval } from './nft-value.ts'

export const nftHooks = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const
/** So many elements in one message: the length of its list has 16 bits. */
const ELEMENTS_PER_MESSAGE = 500

/** One message of a transaction, and the command that it is for. */
export interface NftStep {
  readonly writer: NetlinkWriter
  readonly command: NftCommand
}

/** What is known of a set that is there already. ENOENT. */
export type NftSetLookup = (family: NftObject['family'], table: string, name: string) => NftSetFacts

/**
 * The messages of a transaction, without its frame. EINVAL, naming the command; what `lookup` throws. `before` is told the
 * messages of all commands in front of such a one: the kernel may have refused one of them first.
 */
export function transactionSteps(
  commands: readonly NftCommand[],
  lookup: NftSetLookup,
  before: (steps: readonly NftStep[]) => void = () => undefined,
): readonly NftStep[] {
  const transaction = new Transaction(lookup)
  for (const command of commands) {
    const { length } = transaction.steps
    try {
      transaction.add(command)
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      before(transaction.steps.slice(0, length))
      if (error.operation !== 'nft') throw error
      const reason = error.message.slice('nft: '.length, -` (${error.code})`.length)
      throw new KernelError(error.code, commandText(command), reason, { cause: error })
    }
  }
  return transaction.steps
}

/** As a person would have typed it; for what has no such text, the kind and name of its object. */
export function commandText(command: NftCommand): string {
  try {
    return `nft ${formatNft(command)}`
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return `nft ${command.verb} ${command.object.kind} ${nameOf(command.object)}`
  }
}

function nameOf(object: NftObject | NftMapKeys): string {
  switch (object.kind) {
    case 'rule':
      return `of ${object.table} ${object.chain}`
    case 'elements':
      return `of ${object.table} ${'map' in object ? object.map : object.set}`
    default:
      return object.name
  }
}

class Transaction {
  readonly steps: NftStep[] = []
  readonly #lookup: NftSetLookup
  readonly #sets = new Map<string, NftSetFacts>()
  #nextId = 1

  constructor(lookup: NftSetLookup) {
    this.#lookup = lookup
  }

  add(command: NftCommand): void {
    const { verb, object } = command
    const message = (type: number, flags = 0): NetlinkWriter => {
      const writer = nftMessage(type, object.family, flags)
      this.steps.push({ writer, command })
      return writer.attributeText(1, checkedName(object.kind === 'table' ? object.name : object.table))
    }
    if (verb === 'flush') return flush(object, message)
    if (verb === 'delete') return this.#delete(object, message)
    const flags = NLM_F_CREATE | (verb === 'create' ? NLM_F_EXCL : 0)
    switch (object.kind) {
      case 'table':
        return void message(NFT_NEWTABLE, flags)
      case 'chain':
        return writeChain(message(NFT_NEWCHAIN, flags), object)
      case 'set':
      case 'map': {
        const facts = factsOf(object)
        writeNamedSet(message(NFT_NEWSET, flags), checkedName(object.name), facts, this.#nextId++)
        this.#sets.set(setKey(object.family, object.table, object.name), facts)
        return
      }
      case 'elements':
        return this.#elements(object, () => message(NFT_NEWSETELEM, flags))
      case 'rule': {
        const sets = this.#setsOf(object, command)
        const instructions = lowerRule(object, sets)
        const writer = message(NFT_NEWRULE, NLM_F_CREATE | NLM_F_APPEND)
        writer.attributeText(2, object.chain)
        writer.nest(4, (list) => writeInstructions(list, instructions))
        if (object.comment !== undefined) writer.attribute(7, encodeComment(object.comment))
      }
    }
  }

  #delete(object: NftObject | NftMapKeys, message: (type: number) => NetlinkWriter): void {
    switch (object.kind) {
      case 'table':
        return void message(NFT_DELTABLE)
      case 'chain':
        return void message(NFT_DELCHAIN).attributeText(3, object.name)
      case 'set':
      case 'map':
        this.#sets.delete(setKey(object.family, object.table, object.name))
        return void message(NFT_DELSET).attributeText(2, object.name)
      case 'rule':
        if (object.handle === undefined)
          throw invalidNft(`a rule of chain ${object.chain} is deleted by its handle; list gives it`)
        return void message(NFT_DELRULE).attributeText(2, object.chain).attribute(3, big(object.handle, 8))
      case 'elements':
        return this.#deleteElements(object, () => message(NFT_DELSETELEM))
    }
  }

  #elements(object: NftElements, message: () => NetlinkWriter): void {
    const name = 'map' in object ? object.map : object.set
    const facts = this.#facts(object.family, object.table, name)
    if ('map' in object) {
      this.#write(
        object.map,
        facts,
        object.elements.map(({ key, to }) => elementOf(name, facts, key, to)),
        message,
      )
    } else {
      if (facts.to !== undefined) throw invalidNft(`${name} is a map: its elements have values`)
      this.#write(
        name,
        facts,
        object.elements.map((key) => elementOf(name, facts, key)),
        message,
      )
    }
  }

  #deleteElements(object: NftSetElements | NftMapKeys, message: () => NetlinkWriter): void {
    const name = 'map' in object ? object.map : object.set
    const facts = this.#facts(object.family, object.table, name)
    const keys = 'map' in object ? object.elements.map(({ key }) => key) : object.elements
    this.#write(
      name,
      facts,
      keys.map((key) => elementOf(name, facts, key)),
      message,
    )
  }

  #write(
    name: string,
    facts: NftSetFacts,
    elements: readonly NftElement[],
    message: () => NetlinkWriter,
  ): void {
    for (let at = 0; at < elements.length; at += ELEMENTS_PER_MESSAGE) {
      const writer = message().attributeText(2, name)
      writeElements(writer, facts, elements.slice(at, at + ELEMENTS_PER_MESSAGE))
    }
  }

  #facts(family: NftObject['family'], table: string, name: string): NftSetFacts {
    const key = setKey(family, table, name)
    const known = this.#sets.get(key) ?? this.#lookup(family, table, name)
    this.#sets.set(key, known)
    return known
  }

  #setsOf(
    { family, table }: { readonly family: NftObject['family']; readonly table: string },
    command: NftCommand,
  ): NftSets {
    return {
      named: (name) => this.#facts(family, table, name),
      anonymous: (wanted, given) => {
        const interval = given.some((one) => !isSingle(one.interval))
        const facts = { ...wanted, interval }
        const elements = anonymousElements(facts, given)
        const id = this.#nextId++
        const name = wanted.to === undefined ? '__set%d' : '__map%d'
        const begin = (kind: number) => {
          const writer = nftMessage(kind, family, NLM_F_CREATE)
          this.steps.push({ writer, command })
          return writer.attributeText(1, checkedName(table))
        }
        writeAnonymousSet(begin(NFT_NEWSET), name, facts, id)
        for (let at = 0; at < elements.length; at += ELEMENTS_PER_MESSAGE) {
          const writer = begin(NFT_NEWSETELEM).attributeText(2, name).attribute(4, big(id, 4))
          writeElements(writer, facts, elements.slice(at, at + ELEMENTS_PER_MESSAGE))
        }
        return { name, id, interval }
      },
    }
  }
}

/** Of plain keys, those that overlap as one, as nft has them too. */
function anonymousElements(
  { interval, key, to }: NftSetFacts,
  given: readonly NftElement[],
): readonly NftElement[] {
  if (key.length > 1 || to !== undefined) return given
  const intervals = given.map((one) => one.interval)
  return (interval ? mergedIntervals(intervals) : distinct(intervals)).map((one) => ({ interval: one }))
}

function distinct(intervals: readonly NftInterval[]): readonly NftInterval[] {
  return [...new Map(intervals.map((one) => [one.first.join(), one])).values()]
}

function setKey(family: string, table: string, name: string): string {
  return `${family} ${table} ${name}`
}

function checkedName(name: string): string {
  if (!/^[A-Za-z][\w./-]*$/.test(name))
    throw invalidNft(`nftables takes no name like ${JSON.stringify(name)}`)
  return name
}

function flush(object: NftObject | NftMapKeys, message: (type: number) => NetlinkWriter): void {
  switch (object.kind) {
    case 'table':
      return void message(NFT_DELRULE)
    case 'chain':
      return void message(NFT_DELRULE).attributeText(2, object.name)
    case 'set':
    case 'map':
      return void message(NFT_DELSETELEM).attributeText(2, object.name)
    default:
      throw invalidNft(`${object.kind} cannot be flushed`)
  }
}

function writeChain(writer: NetlinkWriter, { name, base }: NftChain): void {
  writer.attributeText(3, checkedName(name))
  if (base === undefined) return
  const { type, hook, priority, policy } = base
  const number = nftHooks.indexOf(hook)
  if (number < 0) throw invalidNft(`chain ${name} has no hook like ${JSON.stringify(hook)}`)
  if (!Number.isInteger(priority) || Math.abs(priority) > 0x7fff_ffff) {
    throw invalidNft(`chain ${name} has no priority like ${priority}`)
  }
  if (type !== 'nat' && type !== 'filter')
    throw invalidNft(`chain ${name} has no type like ${JSON.stringify(type)}`)
  writer.nest(4, (inner) => inner.attribute(1, big(number, 4)).attribute(2, big(priority >>> 0, 4)))
  if (policy !== undefined) {
    if (policy !== 'accept' && policy !== 'drop')
      throw invalidNft(`chain ${name} has no policy like ${JSON.stringify(policy)}`)
    writer.attribute(5, big(policy === 'drop' ? 0 : 1, 4))
  }
  writer.attributeText(7, type)
}

/** What of a message the kernel complained about, from the offset that it gives; undefined where it has no words. */
export function blamed(message: Uint8Array, offset: number): string | undefined {
  const type = (message[4] ?? 0) & 0xff
  let at = ATTRIBUTES_AT
  for (const { type: attribute, value } of attributeList(message, ATTRIBUTES_AT)) {
    const end = at + 4 + value.length
    if (offset >= at && offset < end) {
      const noun = nouns[type]?.[attribute]
      if (noun === undefined || noun === 'rule' || noun === 'element' || noun === 'expression') return noun
      const name = value.indexOf(0)
      return `${noun} ${new TextDecoder().decode(name < 0 ? value : value.subarray(0, name))}`
    }
    at = (end + 3) & ~3
  }
  return undefined
}

/** Behind struct nlmsghdr and struct nfgenmsg. */
const ATTRIBUTES_AT = 20

const nouns: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  [NFT_NEWTABLE]: { 1: 'table' },
  [NFT_DELTABLE]: { 1: 'table' },
  [NFT_NEWCHAIN]: { 1: 'table', 3: 'chain', 7: 'chain type' },
  [NFT_DELCHAIN]: { 1: 'table', 3: 'chain' },
  [NFT_NEWRULE]: { 1: 'table', 2: 'chain', 4: 'expression' },
  [NFT_DELRULE]: { 1: 'table', 2: 'chain', 3: 'rule' },
  [NFT_NEWSET]: { 1: 'table', 2: 'set' },
  [NFT_DELSET]: { 1: 'table', 2: 'set' },
  [NFT_NEWSETELEM]: { 1: 'table', 2: 'set', 3: 'element' },
  [NFT_DELSETELEM]: { 1: 'table', 2: 'set', 3: 'element' },
}
