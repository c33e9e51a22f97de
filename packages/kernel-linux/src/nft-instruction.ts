import { Attributes, attributeList, malformed, type NetlinkWriter } from './netlink-message.ts'
import { big, numberOf } from './nft-value.ts'

/**
 * One instruction of a rule as the kernel runs it (linux/netfilter/nf_tables.h). Registers 1 to 4 hold 16 octets each;
 * a verdict goes to register 0. Data is in the order in which the kernel compares it.
 */
export type NftInstruction =
  | {
      readonly name: 'payload'
      readonly to: number
      readonly base: number
      readonly offset: number
      readonly length: number
    }
  | { readonly name: 'meta' | 'ct'; readonly to: number; readonly key: number }
  | { readonly name: 'meta set'; readonly from: number; readonly key: number }
  | { readonly name: 'fib'; readonly to: number; readonly result: number; readonly flags: number }
  | { readonly name: 'cmp'; readonly from: number; readonly op: number; readonly data: Uint8Array }
  | {
      readonly name: 'range'
      readonly from: number
      readonly op: number
      readonly first: Uint8Array
      readonly last: Uint8Array
    }
  /** Within one register: and with `mask`, exclusive or with `xor`. */
  | { readonly name: 'bitwise'; readonly at: number; readonly mask: Uint8Array; readonly xor: Uint8Array }
  /** To network order within one register of four octets; of one octet, as nft has it too, it does nothing. */
  | { readonly name: 'byteorder'; readonly at: number; readonly length: number }
  | { readonly name: 'numgen'; readonly to: number; readonly modulus: number; readonly random: boolean }
  /** `id` for a set that has no name before the transaction. `to`: of a map, where its value goes; 0 for a verdict. */
  | {
      readonly name: 'lookup'
      readonly from: number
      readonly to?: number
      readonly set: string
      readonly id?: number
      readonly invert: boolean
    }
  | { readonly name: 'immediate'; readonly to: number; readonly data: Uint8Array }
  | { readonly name: 'verdict'; readonly code: number; readonly chain?: string }
  | { readonly name: 'counter'; readonly packets: number; readonly bytes: number }
  | {
      readonly name: 'nat'
      readonly type: number
      readonly family: number
      readonly address: number
      readonly port?: number
      readonly flags: number
    }
  | { readonly name: 'masq'; readonly flags: number }
  | { readonly name: 'reject'; readonly type: number; readonly code: number }

/** What loads a value from a packet. */
export type NftLoad = Extract<NftInstruction, { readonly name: 'payload' | 'meta' | 'ct' | 'fib' }>

const EXPR_NAME = 1
const EXPR_DATA = 2
const LIST_ELEMENT = 1
const DATA_VALUE = 1
const DATA_VERDICT = 2
const VERDICT_CODE = 1
const VERDICT_CHAIN = 2
const HTON = 1
const NUMBER_INCREMENTAL = 0
const NUMBER_RANDOM = 1

/** Writes them as elements of a list. */
export function writeInstructions(writer: NetlinkWriter, instructions: readonly NftInstruction[]): void {
  for (const instruction of instructions) {
    writer.nest(LIST_ELEMENT, (element) => {
      const name = kernelName(instruction)
      element.attributeText(EXPR_NAME, name)
      element.nest(EXPR_DATA, (data) => writeData(data, instruction))
    })
  }
}

function kernelName({ name }: NftInstruction): string {
  if (name === 'meta set') return 'meta'
  return name === 'verdict' ? 'immediate' : name
}

function writeData(writer: NetlinkWriter, it: NftInstruction): void {
  const number = (type: number, value: number) => void writer.attribute(type, big(value, 4))
  const data = (type: number, value: Uint8Array) =>
    void writer.nest(type, (inner) => inner.attribute(DATA_VALUE, value))
  switch (it.name) {
    case 'payload':
      number(1, it.to)
      number(2, it.base)
      number(3, it.offset)
      return number(4, it.length)
    case 'meta':
    case 'ct':
      number(1, it.to)
      return number(2, it.key)
    case 'meta set':
      number(2, it.key)
      return number(3, it.from)
    case 'fib':
      number(1, it.to)
      number(2, it.result)
      return number(3, it.flags)
    case 'cmp':
      number(1, it.from)
      number(2, it.op)
      return data(3, it.data)
    case 'range':
      number(1, it.from)
      number(2, it.op)
      data(3, it.first)
      return data(4, it.last)
    case 'bitwise':
      number(1, it.at)
      number(2, it.at)
      number(3, it.mask.length)
      data(4, it.mask)
      return data(5, it.xor)
    case 'byteorder':
      number(1, it.at)
      number(2, it.at)
      number(3, HTON)
      number(4, it.length)
      return number(5, 4)
    case 'numgen':
      number(1, it.to)
      number(2, it.modulus)
      return number(3, it.random ? NUMBER_RANDOM : NUMBER_INCREMENTAL)
    case 'lookup':
      writer.attributeText(1, it.set)
      number(2, it.from)
      if (it.to !== undefined) number(3, it.to)
      if (it.id !== undefined) number(4, it.id)
      return it.invert ? number(5, 1) : undefined
    case 'immediate':
      number(1, it.to)
      return data(2, it.data)
    case 'verdict':
      number(1, 0)
      writer.nest(2, (inner) =>
        inner.nest(DATA_VERDICT, (verdict) => {
          verdict.attribute(VERDICT_CODE, big(it.code >>> 0, 4))
          if (it.chain !== undefined) verdict.attributeText(VERDICT_CHAIN, it.chain)
        }),
      )
      return
    case 'counter':
      writer.attribute(1, big(it.bytes, 8))
      writer.attribute(2, big(it.packets, 8))
      return
    case 'nat':
      number(1, it.type)
      number(2, it.family)
      number(3, it.address)
      if (it.port !== undefined) number(5, it.port)
      return it.flags === 0 ? undefined : number(7, it.flags)
    case 'masq':
      return it.flags === 0 ? undefined : number(1, it.flags)
    case 'reject':
      number(1, it.type)
      writer.attributeU8(2, it.code)
  }
}

/** The instructions of a list; undefined where one is of a kind that this package does not write. EPROTO. */
export function readInstructions(list: Uint8Array): readonly NftInstruction[] | undefined {
  const instructions: NftInstruction[] = []
  for (const { value } of attributeList(list)) {
    const element = new Attributes(value)
    const instruction = readInstruction(element.text(EXPR_NAME), element.nested(EXPR_DATA))
    if (instruction === undefined) return undefined
    instructions.push(instruction)
  }
  return instructions
}

function readInstruction(
  name: string | undefined,
  data: Attributes = new Attributes(new Uint8Array()),
): NftInstruction | undefined {
  const number = (type: number): number => data.u32Big(type) ?? missing(name, type)
  const has = (type: number): boolean => data.bytes(type) !== undefined
  const octets = (type: number): Uint8Array => data.nested(type)?.bytes(DATA_VALUE) ?? missing(name, type)
  switch (name) {
    case 'payload':
      if (!has(1)) return undefined
      return { name, to: number(1), base: number(2), offset: number(3), length: number(4) }
    case 'meta':
      if (has(3)) return { name: 'meta set', from: number(3), key: number(2) }
      return { name, to: number(1), key: number(2) }
    case 'ct':
      if (!has(1) || has(3)) return undefined
      return { name, to: number(1), key: number(2) }
    case 'fib':
      return { name, to: number(1), result: number(2), flags: number(3) }
    case 'cmp':
      return { name, from: number(1), op: number(2), data: octets(3) }
    case 'range':
      return { name, from: number(1), op: number(2), first: octets(3), last: octets(4) }
    case 'bitwise':
      if (number(1) !== number(2) || (data.u32Big(6) ?? 0) !== 0) return undefined
      return { name, at: number(1), mask: octets(4), xor: octets(5) }
    case 'byteorder': {
      const length = number(4)
      const plain = number(1) === number(2) && number(3) === HTON
      return plain && (length === 1 || (length === 4 && number(5) === 4))
        ? { name, at: number(1), length }
        : undefined
    }
    case 'numgen': {
      const type = number(3)
      if ((data.u32Big(4) ?? 0) !== 0 || (type !== NUMBER_INCREMENTAL && type !== NUMBER_RANDOM))
        return undefined
      return { name, to: number(1), modulus: number(2), random: type === NUMBER_RANDOM }
    }
    case 'lookup':
      return {
        name,
        from: number(2),
        ...(has(3) ? { to: number(3) } : {}),
        set: data.text(1) ?? missing(name, 1),
        invert: (data.u32Big(5) ?? 0) === 1,
      }
    case 'immediate':
      return readImmediate(number(1), data.nested(2) ?? missing(name, 2))
    case 'counter':
      return { name, bytes: wide(data.bytes(1), 1), packets: wide(data.bytes(2), 2) }
    case 'nat':
      return readNat(data)
    case 'masq':
      return has(2) || has(3) ? undefined : { name, flags: data.u32Big(1) ?? 0 }
    case 'reject':
      return { name, type: number(1), code: data.u8(2) ?? 0 }
    default:
      return undefined
  }
}

function readImmediate(to: number, data: Attributes): NftInstruction | undefined {
  const value = data.bytes(DATA_VALUE)
  if (value !== undefined) return { name: 'immediate', to, data: value }
  const verdict = data.nested(DATA_VERDICT)
  const code = (verdict?.u32Big(VERDICT_CODE) ?? missing('immediate', 2)) | 0
  const chain = verdict?.text(VERDICT_CHAIN)
  return chain === undefined ? { name: 'verdict', code } : { name: 'verdict', code, chain }
}

/** A range of addresses or ports is none of the contract's words. */
function readNat(data: Attributes): NftInstruction | undefined {
  const [address, addressEnd, port, portEnd] = [3, 4, 5, 6].map((type) => data.u32Big(type))
  if (address === undefined || (addressEnd ?? address) !== address || (portEnd ?? port) !== port)
    return undefined
  return {
    name: 'nat',
    type: data.u32Big(1) ?? missing('nat', 1),
    family: data.u32Big(2) ?? missing('nat', 2),
    address,
    ...(port === undefined ? {} : { port }),
    flags: data.u32Big(7) ?? 0,
  }
}

function wide(value: Uint8Array | undefined, type: number): number {
  return value === undefined ? missing('counter', type) : numberOf(value)
}

function missing(name: string | undefined, type: number): never {
  throw malformed(`an nftables expression ${name} without its attribute ${type}`)
}
