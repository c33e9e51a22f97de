import {
  ipFromBytes,
  ipToBytes,
  type Mac,
  macFromBytes,
  macToBytes,
  networkAddress,
  type Prefix,
  prefixFrom,
  prefixLength,
} from '@podfabric/netaddr'
import { field, viewOf } from './field.ts'
import { needOctets, WireError } from './wire-error.ts'

// Neighbor discovery options, RFC 4861 section 4.6
//
//  +---------------+---------------+-------------------------------
//  |     type      |   octets / 8  |  data, to a multiple of 8 octets
//  +---------------+---------------+-------------------------------

/** One option of a neighbor discovery message, by kind; what is not known is `other` and kept. */
export type NdOption =
  | { readonly kind: 'source-link-layer'; readonly mac: Mac }
  | { readonly kind: 'target-link-layer'; readonly mac: Mac }
  /** Lifetimes in seconds; 0xffffffff is for ever. */
  | {
      readonly kind: 'prefix-information'
      readonly prefix: Prefix
      readonly onLink: boolean
      readonly autonomous: boolean
      readonly validLifetime: number
      readonly preferredLifetime: number
    }
  /** In octets. */
  | { readonly kind: 'mtu'; readonly mtu: number }
  /** `data` has 6 octets, 14, 22 and so on. */
  | { readonly kind: 'other'; readonly type: number; readonly data: Uint8Array }

const NAME = 'icmpv6'
const SOURCE_LINK_LAYER = 1
const TARGET_LINK_LAYER = 2
const PREFIX_INFORMATION = 3
const MTU = 5

export function ndOptionLength(option: NdOption): number {
  switch (option.kind) {
    case 'source-link-layer':
    case 'target-link-layer':
    case 'mtu':
      return 8
    case 'prefix-information':
      return 32
    case 'other':
      if (option.data.length % 8 !== 6 || option.data.length > 2038) {
        throw new RangeError(
          `${NAME}: option data of ${option.data.length} octets is not 6 more than a multiple of 8`,
        )
      }
      return 2 + option.data.length
  }
}

/** Writes the option at `packet[at]` and returns where it ends. */
export function encodeNdOption(option: NdOption, packet: Uint8Array, at: number): number {
  const length = ndOptionLength(option)
  const view = viewOf(packet)
  packet.fill(0, at, at + length)
  packet[at + 1] = length / 8
  switch (option.kind) {
    case 'source-link-layer':
    case 'target-link-layer':
      packet[at] = option.kind === 'source-link-layer' ? SOURCE_LINK_LAYER : TARGET_LINK_LAYER
      macToBytes(option.mac, packet, at + 2)
      break
    case 'mtu':
      packet[at] = MTU
      view.setUint32(at + 4, field(NAME, 'mtu', option.mtu, 32))
      break
    case 'prefix-information':
      packet[at] = PREFIX_INFORMATION
      packet[at + 2] = prefixLength(option.prefix)
      packet[at + 3] = (option.onLink ? 0x80 : 0) | (option.autonomous ? 0x40 : 0)
      view.setUint32(at + 4, field(NAME, 'valid lifetime', option.validLifetime, 32))
      view.setUint32(at + 8, field(NAME, 'preferred lifetime', option.preferredLifetime, 32))
      if (!option.prefix.includes(':'))
        throw new RangeError(`${NAME}: ${option.prefix} is not an IPv6 prefix`)
      ipToBytes(networkAddress(option.prefix), packet, at + 16)
      break
    case 'other':
      packet[at] = field(NAME, 'option type', option.type, 8)
      packet.set(option.data, at + 2)
  }
  return at + length
}

/** The options from `start` to the packet's end. A known kind of another length stays `other`. */
export function decodeNdOptions(packet: Uint8Array, start: number): NdOption[] {
  const options: NdOption[] = []
  let at = start
  while (at < packet.length) {
    needOctets(NAME, packet, at + 2)
    const length = (packet[at + 1] ?? 0) * 8
    if (length === 0) throw new WireError('WIRE_MALFORMED', NAME, at, 'an option has a length of zero')
    needOctets(NAME, packet, at + length)
    options.push(decodeOption(packet.subarray(at, at + length)))
    at += length
  }
  return options
}

function decodeOption(option: Uint8Array): NdOption {
  const view = viewOf(option)
  const type = view.getUint8(0)
  if ((type === SOURCE_LINK_LAYER || type === TARGET_LINK_LAYER) && option.length === 8) {
    const kind = type === SOURCE_LINK_LAYER ? 'source-link-layer' : 'target-link-layer'
    return { kind, mac: macFromBytes(option, 2) }
  }
  if (type === MTU && option.length === 8) return { kind: 'mtu', mtu: view.getUint32(4) }
  if (type === PREFIX_INFORMATION && option.length === 32 && view.getUint8(2) <= 128) {
    return {
      kind: 'prefix-information',
      prefix: prefixFrom(ipFromBytes(option, 16, 6), view.getUint8(2)),
      onLink: (view.getUint8(3) & 0x80) !== 0,
      autonomous: (view.getUint8(3) & 0x40) !== 0,
      validLifetime: view.getUint32(4),
      preferredLifetime: view.getUint32(8),
    }
  }
  return { kind: 'other', type, data: option.subarray(2) }
}
