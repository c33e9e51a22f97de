import type { Neighbor, NeighborKey, NeighborState } from '@podfabric/kernel'
import { ipFromBytes, ipToBytes, macFromBytes, macToBytes } from '@podfabric/netaddr'
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
import { AF_INET, AF_INET6 } from './rtnetlink-address.ts'

export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
export const RTM_GETNEIGH = 30

/** struct ndmsg, which the bridge's table uses too. */
export const NEIGHBOR_HEADER_LENGTH = 12
export const NDA_DST = 1
export const NDA_LLADDR = 2
const NDA_PROTOCOL = 12
const NTF_PROXY = 8

const stateNumbers: Readonly<Record<NeighborState, number>> = {
  incomplete: 1,
  reachable: 2,
  stale: 4,
  delay: 8,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
}
const stateNames = new Map(
  Object.entries(stateNumbers).map(([name, number]) => [number, name as NeighborState]),
)

/** Undefined for a family that the contract has no words for. EPROTO. */
export function readNeighbor(payload: Uint8Array, nameOf: NameOf): Neighbor | undefined {
  const header = fixedHeader(payload, NEIGHBOR_HEADER_LENGTH)
  const family = header.getUint8(0)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const attributes = new Attributes(payload, NEIGHBOR_HEADER_LENGTH)
  const address = attributes.bytes(NDA_DST)
  if (address?.length !== (family === AF_INET ? 4 : 16)) throw malformed('a neighbor without its address')
  const mac = attributes.bytes(NDA_LLADDR)
  const proxy = (header.getUint8(10) & NTF_PROXY) !== 0
  const state = proxy ? undefined : stateNames.get(header.getUint16(8, true))
  const protocol = attributes.u8(NDA_PROTOCOL)
  return {
    link: nameOf(header.getUint32(4, true)),
    address: ipFromBytes(address),
    ...(mac?.length === 6 && !proxy ? { mac: macFromBytes(mac) } : {}),
    ...(state === undefined ? {} : { state }),
    ...(proxy ? { proxy } : {}),
    ...(protocol === undefined || protocol === 0 ? {} : { protocol }),
  }
}

export function neighborHeader(
  writer: NetlinkWriter,
  family: number,
  index: number,
  state: number,
  flags: number,
): NetlinkWriter {
  return writer.u8(family).u8(0).u16(0).u32(index).u16(state).u8(flags).u8(0)
}

function message(type: number, how: number, row: Neighbor | NeighborKey, index: number, state: number) {
  const family = row.address.includes(':') ? AF_INET6 : AF_INET
  const flags = row.proxy === true ? NTF_PROXY : 0
  const writer = neighborHeader(new NetlinkWriter(type, how), family, index, state, flags)
  return writer.attribute(NDA_DST, ipToBytes(row.address))
}

export function addNeighbor(row: Neighbor, index: number, verb: 'add' | 'replace'): NetlinkWriter {
  const how = NLM_F_CREATE | (verb === 'add' ? NLM_F_EXCL : NLM_F_REPLACE)
  const writer = message(RTM_NEWNEIGH, how, row, index, stateNumbers[row.state ?? 'permanent'])
  if (row.mac !== undefined) writer.attribute(NDA_LLADDR, macToBytes(row.mac))
  if (row.protocol !== undefined) writer.attributeU8(NDA_PROTOCOL, row.protocol)
  return writer
}

export function deleteNeighbor(key: NeighborKey, index: number): NetlinkWriter {
  return message(RTM_DELNEIGH, 0, key, index, 0)
}

export function listNeighbors(family: 4 | 6, proxy: boolean): NetlinkWriter {
  const number = family === 4 ? AF_INET : AF_INET6
  return neighborHeader(new NetlinkWriter(RTM_GETNEIGH), number, 0, 0, proxy ? NTF_PROXY : 0)
}
