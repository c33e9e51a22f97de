import type { Rule } from '@podfabric/kernel'
import {
  ipFromBytes,
  ipToBytes,
  networkAddress,
  type Prefix,
  prefixFrom,
  prefixLength,
} from '@podfabric/netaddr'
import {
  Attributes,
  fixedHeader,
  malformed,
  NetlinkWriter,
  NLM_F_CREATE,
  NLM_F_EXCL,
} from './netlink-message.ts'
import { AF_INET, AF_INET6 } from './rtnetlink-address.ts'

export const RTM_NEWRULE = 32
export const RTM_DELRULE = 33
const RTM_GETRULE = 34

const HEADER_LENGTH = 12
const FRA_DST = 1
const FRA_SRC = 2
const FRA_IIFNAME = 3
const FRA_PRIORITY = 6
const FRA_FWMARK = 10
const FRA_TABLE = 15
const FRA_FWMASK = 16
const FRA_OIFNAME = 17
const FRA_PROTOCOL = 21
const FR_ACT_TO_TBL = 1
const FIB_RULE_INVERT = 2

const actionNumbers = { blackhole: 6, unreachable: 7, prohibit: 8 } as const

/** Undefined for actions and families that the contract has no words for (goto, nop). EPROTO. */
export function readRule(payload: Uint8Array): Rule | undefined {
  const header = fixedHeader(payload, HEADER_LENGTH)
  const attributes = new Attributes(payload, HEADER_LENGTH)
  const number = header.getUint8(0)
  if (number !== AF_INET && number !== AF_INET6) return undefined
  const family = number === AF_INET ? 4 : 6
  const action = readAction(header, attributes)
  if (action === undefined) return undefined
  const from = prefixOf(attributes.bytes(FRA_SRC), header.getUint8(2), family)
  const to = prefixOf(attributes.bytes(FRA_DST), header.getUint8(1), family)
  const mark = attributes.u32(FRA_FWMARK)
  const mask = attributes.u32(FRA_FWMASK)
  const input = attributes.text(FRA_IIFNAME)
  const output = attributes.text(FRA_OIFNAME)
  const protocol = attributes.u8(FRA_PROTOCOL)
  return {
    family,
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(mark === undefined && mask === undefined
      ? {}
      : { mark: { value: mark ?? 0, mask: mask ?? 0xffff_ffff } }),
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(header.getUint32(8, true) & FIB_RULE_INVERT ? { invert: true } : {}),
    action,
    ...(protocol === undefined || protocol === 0 ? {} : { protocol }),
  }
}

function readAction(header: DataView, attributes: Attributes): Rule['action'] | undefined {
  switch (header.getUint8(7)) {
    case FR_ACT_TO_TBL:
      return { lookup: attributes.u32(FRA_TABLE) ?? header.getUint8(4) }
    case actionNumbers.blackhole:
      return 'blackhole'
    case actionNumbers.unreachable:
      return 'unreachable'
    case actionNumbers.prohibit:
      return 'prohibit'
    default:
      return undefined
  }
}

function prefixOf(bytes: Uint8Array | undefined, length: number, family: 4 | 6): Prefix | undefined {
  if (bytes === undefined) return undefined
  if (bytes.length !== (family === 4 ? 4 : 16) || length > 8 * bytes.length) throw malformed('a prefix')
  return prefixFrom(ipFromBytes(bytes), length)
}

function message(type: number, flags: number, rule: Rule): NetlinkWriter {
  const { family, from, to, action, mark } = rule
  const table = typeof action === 'string' ? 0 : action.lookup
  const writer = new NetlinkWriter(type, flags)
    .u8(family === 4 ? AF_INET : AF_INET6)
    .u8(to === undefined ? 0 : prefixLength(to))
    .u8(from === undefined ? 0 : prefixLength(from))
    .u8(0)
    .u8(table < 256 ? table : 0)
    .u16(0)
    .u8(typeof action === 'string' ? actionNumbers[action] : FR_ACT_TO_TBL)
    .u32(rule.invert === true ? FIB_RULE_INVERT : 0)
  writer.attributeU32(FRA_PRIORITY, rule.priority)
  if (to !== undefined) writer.attribute(FRA_DST, ipToBytes(networkAddress(to)))
  if (from !== undefined) writer.attribute(FRA_SRC, ipToBytes(networkAddress(from)))
  if (mark !== undefined) writer.attributeU32(FRA_FWMARK, mark.value).attributeU32(FRA_FWMASK, mark.mask)
  if (rule.input !== undefined) writer.attributeText(FRA_IIFNAME, rule.input)
  if (rule.output !== undefined) writer.attributeText(FRA_OIFNAME, rule.output)
  if (rule.protocol !== undefined) writer.attributeU8(FRA_PROTOCOL, rule.protocol)
  if (table >= 256) writer.attributeU32(FRA_TABLE, table)
  return writer
}

export function addRule(rule: Rule): NetlinkWriter {
  return message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule)
}

export function deleteRule(rule: Rule): NetlinkWriter {
  return message(RTM_DELRULE, 0, rule)
}

export function listRules(family: 4 | 6): NetlinkWriter {
  return new NetlinkWriter(RTM_GETRULE)
    .u8(family === 4 ? AF_INET : AF_INET6)
    .u8(0)
    .u16(0)
    .u32(0)
    .u32(0)
}
