import type { FdbEntry, FdbKey } from '@podfabric/kernel'
import { ipFromBytes, ipToBytes, isGroupMac, macFromBytes, macToBytes } from '@podfabric/netaddr'
import type { NameOf } from './link-names.ts'
import {
  Attributes,
  fixedHeader,
  NetlinkWriter,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
} from './netlink-message.ts'
import {
  NDA_DST,
  NDA_LLADDR,
  NEIGHBOR_HEADER_LENGTH,
  neighborHeader,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './rtnetlink-neighbor.ts'

export const AF_BRIDGE = 7
const NDA_VLAN = 5
const NTF_SELF = 2
const NTF_MASTER = 4
const NUD_REACHABLE = 2
const NUD_NOARP = 0x40
const NUD_PERMANENT = 0x80

/**
 * Undefined for what is no entry of a bridge or a vxlan link: multicast filters of network cards, and the
 * doubles that a bridge keeps for each VLAN. EPROTO.
 */
export function readFdb(payload: Uint8Array, nameOf: NameOf): FdbEntry | undefined {
  const header = fixedHeader(payload, NEIGHBOR_HEADER_LENGTH)
  if (header.getUint8(0) !== AF_BRIDGE) return undefined
  const attributes = new Attributes(payload, NEIGHBOR_HEADER_LENGTH)
  const lladdr = attributes.bytes(NDA_LLADDR)
  if (lladdr?.length !== 6 || attributes.bytes(NDA_VLAN) !== undefined) return undefined
  const mac = macFromBytes(lladdr)
  const self = (header.getUint8(10) & NTF_SELF) !== 0
  const destination = attributes.bytes(NDA_DST)
  if (self && destination === undefined && isGroupMac(mac)) return undefined
  const state = header.getUint16(8, true)
  return {
    link: nameOf(header.getUint32(4, true)),
    mac,
    ...(destination?.length === 4 || destination?.length === 16
      ? { destination: ipFromBytes(destination) }
      : {}),
    state: state & NUD_PERMANENT ? 'permanent' : state & NUD_NOARP ? 'static' : 'dynamic',
    owner: self ? 'self' : 'master',
  }
}

function message(type: number, how: number, row: FdbKey, index: number, state: number): NetlinkWriter {
  const owner = row.owner === 'master' ? NTF_MASTER : NTF_SELF
  const writer = neighborHeader(new NetlinkWriter(type, how), AF_BRIDGE, index, state, owner)
  writer.attribute(NDA_LLADDR, macToBytes(row.mac))
  if (row.destination !== undefined) writer.attribute(NDA_DST, ipToBytes(row.destination))
  return writer
}

export function addFdb(entry: FdbEntry, index: number, verb: 'add' | 'replace' | 'append'): NetlinkWriter {
  const how = verb === 'add' ? NLM_F_EXCL : verb === 'replace' ? NLM_F_REPLACE : NLM_F_APPEND
  const state = entry.state ?? 'permanent'
  const number =
    state === 'permanent' ? NUD_PERMANENT | NUD_NOARP : state === 'static' ? NUD_NOARP : NUD_REACHABLE
  return message(RTM_NEWNEIGH, NLM_F_CREATE | how, entry, index, number)
}

/** The state says nothing, but the links without a database of their own refuse any other. */
export function deleteFdb(key: FdbKey, index: number): NetlinkWriter {
  return message(RTM_DELNEIGH, 0, key, index, NUD_PERMANENT)
}

export function listFdb(): NetlinkWriter {
  return neighborHeader(new NetlinkWriter(RTM_GETNEIGH), AF_BRIDGE, 0, 0, 0)
}
