import { KernelError } from '@podfabric/kernel'

/** Length, type, flags, sequence number, port: struct nlmsghdr, in the host's order (little endian on x64 and arm64). */
const HEADER_LENGTH = 16
const ATTRIBUTE_HEADER_LENGTH = 4
const NLA_F_NESTED = 0x8000
const NLA_TYPE_MASK = 0x3fff

export const NLM_F_REQUEST = 0x1
export const NLM_F_ACK = 0x4
/** The kernel tells the sender, too, what it tells everybody of the change. */
export const NLM_F_ECHO = 0x8
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_REPLACE = 0x100
export const NLM_F_DUMP = 0x300
export const NLM_F_ACK_TLVS = 0x200
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800

export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** Writes one netlink message front to back. */
export class NetlinkWriter {
  readonly type: number
  #bytes = new Uint8Array(256)
  #view = new DataView(this.#bytes.buffer)
  #length = HEADER_LENGTH

  readonly #flags: number

  constructor(type: number, flags = 0) {
    this.type = type
    this.#flags = flags
  }

  u8(value: number): this {
    const at = this.#take(1)
    this.#view.setUint8(at, value)
    return this
  }

  u16(value: number): this {
    const at = this.#take(2)
    this.#view.setUint16(at, value, true)
    return this
  }

  u32(value: number): this {
    const at = this.#take(4)
    this.#view.setUint32(at, value >>> 0, true)
    return this
  }

  /** An attribute of one octet. */
  attributeU8(type: number, value: number): this {
    return this.attribute(type, Uint8Array.of(value))
  }

  attributeU32(type: number, value: number): this {
    const at = this.#attribute(type, 4)
    this.#view.setUint32(at, value >>> 0, true)
    return this
  }

  /** Network order, where the kernel wants it: ports, and everything of nfnetlink. */
  attributeU16Big(type: number, value: number): this {
    return this.attribute(type, Uint8Array.of(value >>> 8, value & 255))
  }

  /** Terminated by a zero octet. */
  attributeText(type: number, value: string): this {
    return this.attribute(type, utf8.encode(`${value}\0`))
  }

  attribute(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, value.length)
    this.#bytes.set(value, at)
    return this
  }

  /** The header of an attribute, and room behind it; where that begins. */
  #attribute(type: number, length: number): number {
    const at = this.#take(ATTRIBUTE_HEADER_LENGTH + aligned(length))
    this.#view.setUint16(at, ATTRIBUTE_HEADER_LENGTH + length, true)
    this.#view.setUint16(at + 2, type, true)
    return at + ATTRIBUTE_HEADER_LENGTH
  }

  /** An attribute that holds what `write` writes. */
  nest(type: number, write: (inner: this) => void): this {
    const at = this.#take(ATTRIBUTE_HEADER_LENGTH)
    write(this)
    this.#view.setUint16(at, this.#length - at, true)
    this.#view.setUint16(at + 2, type | NLA_F_NESTED, true)
    return this
  }

  /** The message, with its length, this sequence number, and `flags` beside its own: a view, until more is written. */
  finish(sequence: number, flags: number): Uint8Array {
    this.#view.setUint32(0, this.#length, true)
    this.#view.setUint16(4, this.type, true)
    this.#view.setUint16(6, this.#flags | flags | NLM_F_REQUEST, true)
    this.#view.setUint32(8, sequence, true)
    return this.#bytes.subarray(0, this.#length)
  }

  #take(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length))
      grown.set(this.#bytes)
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    return at
  }
}

export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** A view behind the header. */
  readonly payload: Uint8Array
}

/** The messages in what one receive gave. EPROTO where lengths do not add up. */
export function netlinkMessages(bytes: Uint8Array): readonly NetlinkMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const messages: NetlinkMessage[] = []
  for (let at = 0; at + HEADER_LENGTH <= bytes.length; ) {
    const length = view.getUint32(at, true)
    if (length < HEADER_LENGTH || at + length > bytes.length) throw malformed(`a message of ${length} octets`)
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + HEADER_LENGTH, at + length),
    })
    at += aligned(length)
  }
  return messages
}

/**
 * The attributes behind a message's own header; of several of one type, the last. Looked for when they are asked for: a link's
 * message has some sixty, of which a reader wants ten.
 */
export class Attributes {
  readonly #bytes: Uint8Array
  readonly #from: number

  /** EPROTO where lengths do not add up. */
  constructor(bytes: Uint8Array, from = 0) {
    this.#bytes = bytes
    this.#from = from
    for (let at = from; at + ATTRIBUTE_HEADER_LENGTH <= bytes.length; )
      at += aligned(attributeLength(bytes, at))
  }

  /** A view. */
  bytes(type: number): Uint8Array | undefined {
    const bytes = this.#bytes
    let found: Uint8Array | undefined
    for (let at = this.#from; at + ATTRIBUTE_HEADER_LENGTH <= bytes.length; ) {
      const length = u16(bytes, at)
      if ((u16(bytes, at + 2) & NLA_TYPE_MASK) === type) {
        found = bytes.subarray(at + ATTRIBUTE_HEADER_LENGTH, at + length)
      }
      at += aligned(length)
    }
    return found
  }

  u8(type: number): number | undefined {
    return this.#number(type, 1)
  }

  u16Big(type: number): number | undefined {
    const value = this.#sized(type, 2)
    return value === undefined ? undefined : ((value[0] ?? 0) << 8) | (value[1] ?? 0)
  }

  u32(type: number): number | undefined {
    return this.#number(type, 4)
  }

  u32Big(type: number): number | undefined {
    const value = this.#sized(type, 4)
    if (value === undefined) return undefined
    return new DataView(value.buffer, value.byteOffset, 4).getUint32(0)
  }

  /** Up to the first zero octet. */
  text(type: number): string | undefined {
    const value = this.bytes(type)
    if (value === undefined) return undefined
    const end = value.indexOf(0)
    return text.decode(end < 0 ? value : value.subarray(0, end))
  }

  nested(type: number): Attributes | undefined {
    const value = this.bytes(type)
    return value === undefined ? undefined : new Attributes(value)
  }

  #number(type: number, size: 1 | 4): number | undefined {
    const value = this.#sized(type, size)
    if (value === undefined) return undefined
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
    return size === 1 ? view.getUint8(0) : view.getUint32(0, true)
  }

  #sized(type: number, size: number): Uint8Array | undefined {
    const value = this.bytes(type)
    if (value !== undefined && value.length < size)
      throw malformed(`attribute ${type} of ${value.length} octets`)
    return value
  }
}

export interface Attribute {
  readonly type: number
  /** A view. */
  readonly value: Uint8Array
}

/** The attributes from `from` on, in order. EPROTO where lengths do not add up. */
export function attributeList(bytes: Uint8Array, from = 0): readonly Attribute[] {
  const list: Attribute[] = []
  for (let at = from; at + ATTRIBUTE_HEADER_LENGTH <= bytes.length; ) {
    const length = attributeLength(bytes, at)
    list.push({
      type: u16(bytes, at + 2) & NLA_TYPE_MASK,
      value: bytes.subarray(at + ATTRIBUTE_HEADER_LENGTH, at + length),
    })
    at += aligned(length)
  }
  return list
}

/** With its header, without what fills it up. EPROTO where it is longer than what there is. */
function attributeLength(bytes: Uint8Array, at: number): number {
  const length = u16(bytes, at)
  if (length >= ATTRIBUTE_HEADER_LENGTH && at + length <= bytes.length) return length
  throw malformed(`an attribute of ${length} octets`)
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
}

/** A view on a message's own header, checked to be there. EPROTO. */
export function fixedHeader(payload: Uint8Array, length: number): DataView {
  if (payload.length < length) throw malformed(`a header of ${payload.length} octets instead of ${length}`)
  return new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
}

export function malformed(what: string): KernelError {
  return new KernelError('EPROTO', 'netlink', `the kernel sent ${what}`)
}

/** To the next multiple of four, where messages and attributes begin. */
export function aligned(length: number): number {
  return (length + 3) & ~3
}
