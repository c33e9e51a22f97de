import { field } from './field.ts'
import { ipProtocols } from './ipv4.ts'
import { needOctets, WireError } from './wire-error.ts'

// IPv6 extension headers, RFC 8200 section 4. All but the fragment header:
//
//  +---------------+---------------+-------------------------------
//  |  next header  | (octets/8) - 1|  options, or routing data
//  +---------------+---------------+-------------------------------
//
// Fragment header:
//
//  +---------------+---------------+-------------------------+---+-+
//  |  next header  |       0       |     fragment offset     | 0 |M|
//  +---------------+---------------+-------------------------+---+-+
//  |                        identification                         |

/** An option of a hop-by-hop or destination options header. Pad1 is type 0 with no data, PadN type 1. */
export interface Ipv6Option {
  readonly type: number
  readonly data: Uint8Array
}

/** Options, in order. Padding at the end is dropped by decode and made by encode; padding between options is kept. */
export interface Ipv6OptionsExtension {
  readonly kind: 'hop-by-hop' | 'destination-options'
  readonly options: readonly Ipv6Option[]
}

/** RFC 8200 section 4.4. */
export interface Ipv6RoutingExtension {
  readonly kind: 'routing'
  readonly type: number
  readonly segmentsLeft: number
  /** The type-specific data; 4 octets, 12, 20 and so on. */
  readonly data: Uint8Array
}

/** RFC 8200 section 4.5. */
export interface Ipv6FragmentExtension {
  readonly kind: 'fragment'
  /** In octets, a multiple of 8. */
  readonly offset: number
  readonly moreFragments: boolean
  /** 32 bits. */
  readonly identification: number
}

export type Ipv6Extension = Ipv6OptionsExtension | Ipv6RoutingExtension | Ipv6FragmentExtension

const NAME = 'ipv6'
const NO_DATA = new Uint8Array(0)

/** The next header number that announces an extension. */
export function extensionProtocol(extension: Ipv6Extension): number {
  switch (extension.kind) {
    case 'hop-by-hop':
      return ipProtocols.hopByHop
    case 'destination-options':
      return ipProtocols.destinationOptions
    case 'routing':
      return ipProtocols.routing
    case 'fragment':
      return ipProtocols.fragment
  }
}

export function extensionLength(extension: Ipv6Extension): number {
  if (extension.kind === 'fragment') return 8
  const body = extension.kind === 'routing' ? 2 + extension.data.length : optionsLength(extension.options)
  const length = (2 + body + 7) & ~7
  if (extension.kind === 'routing' && length !== 2 + body) {
    throw new RangeError(
      `${NAME}: routing data of ${extension.data.length} octets is not 4 more than a multiple of 8`,
    )
  }
  if (length > 2048)
    throw new RangeError(`${NAME}: an extension header takes ${length} octets, at most 2048 fit`)
  return length
}

/** Writes the extension at `packet[at]` and returns where it ends. */
export function encodeExtension(
  extension: Ipv6Extension,
  nextHeader: number,
  packet: Uint8Array,
  at: number,
): number {
  const end = at + extensionLength(extension)
  packet[at] = nextHeader
  if (extension.kind === 'fragment') {
    encodeFragment(extension, packet, at)
    return end
  }
  packet[at + 1] = (end - at) / 8 - 1
  if (extension.kind === 'routing') {
    packet[at + 2] = field(NAME, 'routing type', extension.type, 8)
    packet[at + 3] = field(NAME, 'segments left', extension.segmentsLeft, 8)
    packet.set(extension.data, at + 4)
  } else {
    encodeOptions(extension.options, packet, at + 2, end)
  }
  return end
}

/** The extension announced by next header `protocol` at `packet[at]`, or undefined where that is no extension. */
export function decodeExtension(
  protocol: number,
  packet: Uint8Array,
  at: number,
): { extension: Ipv6Extension; nextHeader: number; end: number } | undefined {
  switch (protocol) {
    case ipProtocols.hopByHop:
    case ipProtocols.destinationOptions:
    case ipProtocols.routing:
    case ipProtocols.fragment:
      break
    default:
      return undefined
  }
  needOctets(NAME, packet, at + 8)
  const nextHeader = packet[at] ?? 0
  if (protocol === ipProtocols.fragment) {
    return { extension: decodeFragment(packet, at), nextHeader, end: at + 8 }
  }
  const end = at + ((packet[at + 1] ?? 0) + 1) * 8
  needOctets(NAME, packet, end)
  if (protocol === ipProtocols.routing) {
    const extension = {
      kind: 'routing' as const,
      type: packet[at + 2] ?? 0,
      segmentsLeft: packet[at + 3] ?? 0,
      data: packet.subarray(at + 4, end),
    }
    return { extension, nextHeader, end }
  }
  const kind = protocol === ipProtocols.hopByHop ? 'hop-by-hop' : 'destination-options'
  return { extension: { kind, options: decodeOptions(packet, at + 2, end) }, nextHeader, end }
}

function encodeFragment(extension: Ipv6FragmentExtension, packet: Uint8Array, at: number): void {
  const offset = field(NAME, 'fragment offset', extension.offset, 16)
  if (offset % 8 !== 0) throw new RangeError(`${NAME}: fragment offset ${offset} is not a multiple of 8`)
  const identification = field(NAME, 'identification', extension.identification, 32)
  packet[at + 1] = 0
  packet[at + 2] = offset >>> 8
  packet[at + 3] = (offset & 0xff) | (extension.moreFragments ? 1 : 0)
  packet[at + 4] = identification >>> 24
  packet[at + 5] = identification >>> 16
  packet[at + 6] = identification >>> 8
  packet[at + 7] = identification
}

function decodeFragment(packet: Uint8Array, at: number): Ipv6FragmentExtension {
  const octet = (i: number): number => packet[at + i] ?? 0
  const low = octet(3)
  return {
    kind: 'fragment',
    offset: (octet(2) << 8) | (low & 0xf8),
    moreFragments: (low & 1) !== 0,
    identification: ((octet(4) << 24) | (octet(5) << 16) | (octet(6) << 8) | octet(7)) >>> 0,
  }
}

function optionsLength(options: readonly Ipv6Option[]): number {
  let length = 0
  for (const option of options) length += option.type === 0 ? 1 : 2 + option.data.length
  return length
}

function encodeOptions(options: readonly Ipv6Option[], packet: Uint8Array, start: number, end: number): void {
  let at = start
  for (const { type, data } of options) {
    packet[at++] = field(NAME, 'option type', type, 8)
    if (type === 0) continue
    packet[at++] = field(NAME, 'option length', data.length, 8)
    packet.set(data, at)
    at += data.length
  }
  const padding = end - at
  packet.fill(0, at, end)
  if (padding < 2) return
  packet[at] = 1
  packet[at + 1] = padding - 2
}

function decodeOptions(packet: Uint8Array, start: number, end: number): Ipv6Option[] {
  const options: Ipv6Option[] = []
  let at = start
  let last = 0
  while (at < end) {
    const type = packet[at] ?? 0
    if (type === 0) {
      options.push({ type, data: NO_DATA })
      at++
      continue
    }
    const next = at + 2 + (packet[at + 1] ?? 0)
    if (at + 2 > end || next > end) {
      throw new WireError('WIRE_MALFORMED', NAME, at, `option ${type} is longer than its extension header`)
    }
    options.push({ type, data: packet.subarray(at + 2, next) })
    if (type !== 1) last = options.length
    at = next
  }
  options.length = last
  return options
}
