import type { NftFamily } from '@podfabric/kernel'
import { NetlinkWriter } from './netlink-message.ts'

/** Subsystem 10 of nfnetlink in the upper octet; what each message is, in the lower (NFT_MSG_*). */
const SUBSYSTEM = 10
export const NFT_NEWTABLE = 0
export const NFT_GETTABLE = 1
export const NFT_DELTABLE = 2
export const NFT_NEWCHAIN = 3
export const NFT_GETCHAIN = 4
export const NFT_DELCHAIN = 5
export const NFT_NEWRULE = 6
export const NFT_GETRULE = 7
export const NFT_DELRULE = 8
export const NFT_NEWSET = 9
export const NFT_GETSET = 10
export const NFT_DELSET = 11
export const NFT_NEWSETELEM = 12
export const NFT_GETSETELEM = 13
export const NFT_DELSETELEM = 14
export const NFT_GETGEN = 16
const BATCH_BEGIN = 16
const BATCH_END = 17
/** struct nfgenmsg: family, version, and a subsystem or the ruleset's generation in network order. */
export const NFGEN_LENGTH = 4

const families: readonly (readonly [NftFamily, number])[] = [
  ['inet', 1],
  ['ip', 2],
  ['bridge', 7],
  ['ip6', 10],
]
const byName = new Map(families)
const byNumber = new Map(families.map(([name, number]) => [number, name]))

/** Undefined for families that the contract has no words for. */
export function familyIn(payload: Uint8Array): NftFamily | undefined {
  return byNumber.get(payload[0] ?? 0)
}

/** A message with its header; without a family, of all. */
export function nftMessage(type: number, family?: NftFamily, flags = 0): NetlinkWriter {
  const number = family === undefined ? 0 : (byName.get(family) ?? 0)
  return new NetlinkWriter((SUBSYSTEM << 8) | type, flags).u8(number).u8(0).u16(0)
}

export function batchBegin(): NetlinkWriter {
  return new NetlinkWriter(BATCH_BEGIN)
    .u8(0)
    .u8(0)
    .u16(SUBSYSTEM << 8)
}

export function batchEnd(): NetlinkWriter {
  return new NetlinkWriter(BATCH_END)
    .u8(0)
    .u8(0)
    .u16(SUBSYSTEM << 8)
}
