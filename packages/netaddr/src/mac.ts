import { AddressError } from './address-error.ts'
import type { Branded } from './brand.ts'
import { type Ip, ipToBytes, isV4 } from './ip.ts'
import { type Ipv6, ipv6FromWords } from './ipv6.ts'

/** A 48-bit MAC address in lower case with colons: `aa:bb:cc:dd:ee:ff`. */
export type Mac = Branded<'mac'>

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff' as Mac
/** The value of ARP's target field in a request, and of a link without an address. */
export const ZERO_MAC = '00:00:00:00:00:00' as Mac

const EXPECTED = 'a MAC address like aa:bb:cc:dd:ee:ff'
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

/** The canonical address, or `AddressError`. Upper case and dashes are read; each octet has two digits. */
export function parseMac(text: string): Mac {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text) && !/^[0-9a-f]{2}(?:-[0-9a-f]{2}){5}$/i.test(text)) {
    throw new AddressError(text, EXPECTED)
  }
  return text.replaceAll('-', ':').toLowerCase() as Mac
}

/** True only for canonical text. */
export function isMac(text: string): text is Mac {
  return /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(text)
}

/** Six octets; a fresh array, or written at `out[offset]`. */
export function macToBytes(mac: Mac, out?: Uint8Array, offset = 0): Uint8Array {
  const bytes = out ?? new Uint8Array(offset + 6)
  for (let i = 0; i < 6; i++) {
    bytes[offset + i] = (nibble(mac.charCodeAt(3 * i)) << 4) | nibble(mac.charCodeAt(3 * i + 1))
  }
  return bytes
}

function nibble(c: number): number {
  return c > 57 ? c - 87 : c - 48
}

/** The address in the six octets at `offset`. `RangeError` when there are fewer. */
export function macFromBytes(bytes: Uint8Array, offset = 0): Mac {
  if (offset < 0 || offset + 6 > bytes.length) {
    throw new RangeError(`a MAC address needs 6 octets at ${offset}, there are ${bytes.length} in all`)
  }
  let text = HEX[bytes[offset] ?? 0] ?? ''
  for (let i = 1; i < 6; i++) text += `:${HEX[bytes[offset + i] ?? 0]}`
  return text as Mac
}

/** The address as one integer below 2^48: a fast key for maps. */
export function macToNumber(mac: Mac): number {
  let value = 0
  for (let i = 0; i < 6; i++) {
    value = value * 256 + (nibble(mac.charCodeAt(3 * i)) << 4) + nibble(mac.charCodeAt(3 * i + 1))
  }
  return value
}

/** The inverse of `macToNumber`. */
export function macFromNumber(value: number): Mac {
  const high = Math.floor(value / 0x1_0000_0000)
  const low = value >>> 0
  const octets = [high >>> 8, high, low >>> 24, low >>> 16, low >>> 8, low]
  return octets.map((octet) => HEX[octet & 255]).join(':') as Mac
}

/** The group bit: multicast and broadcast. */
export function isGroupMac(mac: Mac): boolean {
  return (nibble(mac.charCodeAt(1)) & 1) === 1
}

/** A locally administered unicast address. `random` gives numbers in [0, 1), as Math.random does. */
export function randomMac(random: () => number): Mac {
  const bytes = new Uint8Array(6)
  for (let i = 0; i < 6; i++) bytes[i] = Math.floor(random() * 256)
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02
  return macFromBytes(bytes)
}

/** The link-local address with the modified EUI-64 interface identifier (RFC 4291 appendix A). */
export function linkLocalFromMac(mac: Mac): Ipv6 {
  const b = macToBytes(mac)
  const at = (i: number): number => b[i] ?? 0
  const high = ((at(0) ^ 2) << 24) | (at(1) << 16) | (at(2) << 8) | 0xff
  const low = (0xfe << 24) | (at(3) << 16) | (at(4) << 8) | at(5)
  return ipv6FromWords(Uint32Array.of(0xfe80_0000, 0, high, low))
}

/** The MAC address of an IP multicast group: RFC 1112 section 6.4 for IPv4, RFC 2464 section 7 for IPv6. */
export function multicastMac(group: Ip): Mac {
  const bytes = ipToBytes(group)
  const mac = new Uint8Array(6)
  if (isV4(group)) mac.set([0x01, 0x00, 0x5e, (bytes[1] ?? 0) & 0x7f, bytes[2] ?? 0, bytes[3] ?? 0])
  else mac.set([0x33, 0x33, ...bytes.subarray(12, 16)])
  return macFromBytes(mac)
}

/** The solicited-node multicast group that a neighbor solicitation for `ip` goes to (RFC 4291 section 2.7.1). */
export function solicitedNode(ip: Ipv6): Ipv6 {
  const bytes = ipToBytes(ip)
  const low = ((bytes[13] ?? 0) << 16) | ((bytes[14] ?? 0) << 8) | (bytes[15] ?? 0)
  return ipv6FromWords(Uint32Array.of(0xff02_0000, 0, 1, 0xff00_0000 | low))
}
