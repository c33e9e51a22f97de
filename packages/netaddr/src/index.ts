export { AddressError, type AddressErrorCode } from './address-error.ts'
export type { Branded } from './brand.ts'
export {
  BROADCAST_IPV4,
  compareIp,
  type Family,
  familyOf,
  type Ip,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  isIp,
  isV4,
  LOOPBACK_IPV4,
  LOOPBACK_IPV6,
  next,
  parseIp,
  previous,
  UNSPECIFIED_IPV4,
  UNSPECIFIED_IPV6,
} from './ip.ts'
export { type Ipv4, ipv4FromNumber, ipv4ToNumber, isIpv4, parseIpv4 } from './ipv4.ts'
export { Ipv4Lpm } from './ipv4-lpm.ts'
export { type Ipv6, ipv6FromWords, ipv6ToWords, isIpv6, parseIpv6 } from './ipv6.ts'
export { Ipv6Lpm } from './ipv6-lpm.ts'
export { ifAddress, ip, mac, prefix } from './literal.ts'
export { NO_ROUTE } from './lpm.ts'
export {
  BROADCAST_MAC,
  isGroupMac,
  isMac,
  linkLocalFromMac,
  type Mac,
  macFromBytes,
  macFromNumber,
  macToBytes,
  macToNumber,
  multicastMac,
  parseMac,
  randomMac,
  solicitedNode,
  ZERO_MAC,
} from './mac.ts'
export {
  addressOf,
  type IfAddress,
  ifAddressFrom,
  isIfAddress,
  isPrefix,
  networkAddress,
  type Prefix,
  parseIfAddress,
  parsePrefix,
  prefixFamily,
  prefixFrom,
  prefixLength,
  prefixOf,
} from './prefix.ts'
export { PrefixMap } from './prefix-map.ts'
export { type IpRange, rangeContains, rangeFrom, rangeOf, rangeSize, rangesOverlap } from './range.ts'
export { isLimitedBroadcast, isLinkLocal, isLoopback, isMulticast, isUnspecified } from './scope.ts'
export {
  addressAt,
  bigIndexOf,
  broadcastAddress,
  contains,
  covers,
  indexOf,
  lastAddress,
  overlaps,
  prefixSize,
} from './subnet.ts'
