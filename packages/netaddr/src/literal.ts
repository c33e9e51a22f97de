import { parseIp } from './ip.ts'
import { parseMac } from './mac.ts'
import { parseIfAddress, parsePrefix } from './prefix.ts'

/** Short names of the parsers for addresses written in source code: `ip('10.0.0.1')`. */
export const ip = parseIp
export const mac = parseMac
export const prefix = parsePrefix
export const ifAddress = parseIfAddress
