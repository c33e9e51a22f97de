import { BROADCAST_IPV4, type Ip, isV4, UNSPECIFIED_IPV4, UNSPECIFIED_IPV6 } from './ip.ts'
import { ipv4ToNumber } from './ipv4.ts'
import { type Ipv6, ipv6ToWords } from './ipv6.ts'

const words = new Uint32Array(4)

function firstWord(ip: Ipv6): number {
  ipv6ToWords(ip, words)
  return words[0] ?? 0
}

/** 0.0.0.0 or ::, "no address". */
export function isUnspecified(ip: Ip): boolean {
  return ip === UNSPECIFIED_IPV4 || ip === UNSPECIFIED_IPV6
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(ip: Ip): boolean {
  return isV4(ip) ? ip.startsWith('127.') : ip === '::1'
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(ip: Ip): boolean {
  return isV4(ip) ? ipv4ToNumber(ip) >>> 28 === 14 : firstWord(ip) >>> 24 === 0xff
}

/** 169.254.0.0/16 or fe80::/10. */
export function isLinkLocal(ip: Ip): boolean {
  return isV4(ip) ? ip.startsWith('169.254.') : firstWord(ip) >>> 22 === 0x3fa
}

/** 255.255.255.255, the limited broadcast. A subnet's own broadcast address needs its prefix to be known. */
export function isLimitedBroadcast(ip: Ip): boolean {
  return ip === BROADCAST_IPV4
}
