import { field } from './field.ts'
import { WireError } from './wire-error.ts'

/** One option of a TCP header, by kind; what is not known is `other` and kept. */
export type TcpOption =
  /** No-operation, kept because it aligns what follows it. */
  | { readonly kind: 'nop' }
  /** Maximum segment size in octets (RFC 9293 section 3.7.1). */
  | { readonly kind: 'mss'; readonly size: number }
  /** Window scale: the shift count (RFC 7323 section 2). */
  | { readonly kind: 'window-scale'; readonly shift: number }
  /** RFC 2018 section 2. */
  | { readonly kind: 'sack-permitted' }
  /** Up to four blocks, each from its first sequence number to the one after its last (RFC 2018 section 3). */
  | { readonly kind: 'sack'; readonly blocks: readonly { readonly left: number; readonly right: number }[] }
  /** RFC 7323 section 3. */
  | { readonly kind: 'timestamps'; readonly value: number; readonly echo: number }
  | { readonly kind: 'other'; readonly type: number; readonly data: Uint8Array }

const NAME = 'tcp'

export function tcpOptionLength(option: TcpOption): number {
  switch (option.kind) {
    case 'nop':
      return 1
    case 'mss':
      return 4
    case 'window-scale':
      return 3
    case 'sack-permitted':
      return 2
    case 'sack':
      return 2 + 8 * option.blocks.length
    case 'timestamps':
      return 10
    case 'other':
      return 2 + option.data.length
  }
}

/** Writes the option at `view[at]` and returns where it ends. */
export function encodeTcpOption(option: TcpOption, view: DataView, at: number): number {
  const length = tcpOptionLength(option)
  view.setUint8(at, typeOf(option))
  if (option.kind === 'nop') return at + 1
  view.setUint8(at + 1, length)
  switch (option.kind) {
    case 'mss':
      view.setUint16(at + 2, field(NAME, 'mss', option.size, 16))
      break
    case 'window-scale':
      view.setUint8(at + 2, field(NAME, 'window scale', option.shift, 8))
      break
    case 'sack':
      option.blocks.forEach((block, i) => {
        view.setUint32(at + 2 + 8 * i, field(NAME, 'sack edge', block.left, 32))
        view.setUint32(at + 6 + 8 * i, field(NAME, 'sack edge', block.right, 32))
      })
      break
    case 'timestamps':
      view.setUint32(at + 2, field(NAME, 'timestamp', option.value, 32))
      view.setUint32(at + 6, field(NAME, 'timestamp echo', option.echo, 32))
      break
    case 'other':
      option.data.forEach((octet, i) => {
        view.setUint8(at + 2 + i, octet)
      })
  }
  return at + length
}

function typeOf(option: TcpOption): number {
  switch (option.kind) {
    case 'nop':
      return 1
    case 'mss':
      return 2
    case 'window-scale':
      return 3
    case 'sack-permitted':
      return 4
    case 'sack':
      return 5
    case 'timestamps':
      return 8
    case 'other':
      if (option.type < 2) throw new RangeError(`${NAME}: option type ${option.type} has no data`)
      return field(NAME, 'option type', option.type, 8)
  }
}

/** The options in `packet[start, end)`, up to the end-of-options mark. A known kind of another length stays `other`. */
export function decodeTcpOptions(
  packet: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): TcpOption[] {
  const options: TcpOption[] = []
  let at = start
  while (at < end) {
    const type = view.getUint8(at)
    if (type === 0) break
    if (type === 1) {
      options.push({ kind: 'nop' })
      at++
      continue
    }
    const length = at + 1 < end ? view.getUint8(at + 1) : 0
    if (length < 2 || at + length > end) {
      throw new WireError('WIRE_MALFORMED', NAME, at, `option ${type} has a length that does not fit`)
    }
    options.push(
      knownOption(type, view, at, length) ?? {
        kind: 'other',
        type,
        data: packet.subarray(at + 2, at + length),
      },
    )
    at += length
  }
  return options
}

function knownOption(type: number, view: DataView, at: number, length: number): TcpOption | undefined {
  if (type === 2 && length === 4) return { kind: 'mss', size: view.getUint16(at + 2) }
  if (type === 3 && length === 3) return { kind: 'window-scale', shift: view.getUint8(at + 2) }
  if (type === 4 && length === 2) return { kind: 'sack-permitted' }
  if (type === 5 && length % 8 === 2) return { kind: 'sack', blocks: sackBlocks(view, at + 2, at + length) }
  if (type === 8 && length === 10) {
    return { kind: 'timestamps', value: view.getUint32(at + 2), echo: view.getUint32(at + 6) }
  }
  return undefined
}

function sackBlocks(view: DataView, start: number, end: number): { left: number; right: number }[] {
  const blocks = []
  for (let at = start; at < end; at += 8)
    blocks.push({ left: view.getUint32(at), right: view.getUint32(at + 4) })
  return blocks
}
