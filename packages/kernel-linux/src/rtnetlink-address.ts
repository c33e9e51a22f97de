import type { Address, AddressKey } from '@podfabric/kernel'
import {
  addressOf,
  ifAddressFrom,
  ipFromBytes,
  ipToBytes,
  isLoopback,
  prefixLength,
} from '@podfabric/netaddr'
import type { NameOf } from './link-names.ts'
import {
  Attributes,
  fixedHeader,
  malformed,
  NetlinkWriter,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
} from './netlink-message.ts'

export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
const RTM_GETADDR = 22

export const AF_INET = 2
export const AF_INET6 = 10

const HEADER_LENGTH = 8
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_FLAGS = 8
const IFA_F_NODAD = 0x02
const IFA_F_TENTATIVE = 0x40
const IFA_F_NOPREFIXROUTE = 0x200

const scopeNumbers = { global: 0, link: 253, host: 254 } as const

/** Undefined for a family that the contract has no words for. EPROTO. */
export function readAddress(payload: Uint8Array, nameOf: NameOf): Address | undefined {
  const header = fixedHeader(payload, HEADER_LENGTH)
  const attributes = new Attributes(payload, HEADER_LENGTH)
  const family = header.getUint8(0)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const bytes = attributes.bytes(IFA_LOCAL) ?? attributes.bytes(IFA_ADDRESS)
  const length = header.getUint8(1)
  if (bytes?.length !== (family === AF_INET ? 4 : 16) || length > 8 * bytes.length)
    throw malformed('an address')
  const flags = attributes.u32(IFA_FLAGS) ?? header.getUint8(2)
  const scope = header.getUint8(3)
  return {
    link: nameOf(header.getUint32(4, true)),
    address: ifAddressFrom(ipFromBytes(bytes), length),
    scope: scope === scopeNumbers.host ? 'host' : scope === scopeNumbers.link ? 'link' : 'global',
    ...(flags & IFA_F_NOPREFIXROUTE ? { noPrefixRoute: true } : {}),
    ...(flags & IFA_F_NODAD ? { noDad: true } : {}),
    ...(flags & IFA_F_TENTATIVE ? { tentative: true } : {}),
  }
}

function message(type: number, flags: number, row: Address | AddressKey, index: number): NetlinkWriter {
  const ip = addressOf(row.address)
  const scope =
    ('scope' in row ? row.scope : undefined) ?? (isLoopback(ip) && !ip.includes(':') ? 'host' : 'global')
  const writer = new NetlinkWriter(type, flags)
    .u8(ip.includes(':') ? AF_INET6 : AF_INET)
    .u8(prefixLength(row.address))
    .u8(0)
    .u8(scopeNumbers[scope])
    .u32(index)
  const bytes = ipToBytes(ip)
  return writer.attribute(IFA_LOCAL, bytes).attribute(IFA_ADDRESS, bytes)
}

export function addAddress(row: Address, index: number, verb: 'add' | 'replace'): NetlinkWriter {
  const how = verb === 'add' ? NLM_F_EXCL : NLM_F_REPLACE
  const flags =
    (row.noPrefixRoute === true ? IFA_F_NOPREFIXROUTE : 0) | (row.noDad === true ? IFA_F_NODAD : 0)
  const writer = message(RTM_NEWADDR, NLM_F_CREATE | how, row, index)
  return flags === 0 ? writer : writer.attributeU32(IFA_FLAGS, flags)
}

export function deleteAddress(key: AddressKey, index: number): NetlinkWriter {
  return message(RTM_DELADDR, 0, key, index)
}

export function listAddresses(): NetlinkWriter {
  return new NetlinkWriter(RTM_GETADDR).u8(0).u8(0).u8(0).u8(0).u32(0)
}
