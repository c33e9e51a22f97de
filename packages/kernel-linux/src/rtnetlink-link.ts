import type { BridgePort, Link, LinkChange, LinkSpec } from '@podfabric/kernel'
import { ipFromBytes, ipToBytes, macFromBytes, macToBytes, ZERO_MAC } from '@podfabric/netaddr'
import { type IndexOf, type NameOf, unknownName } from './link-names.ts'
import {
  Attributes,
  fixedHeader,
  NetlinkWriter,
  NLM_F_CREATE,
  NLM_F_ECHO,
  NLM_F_EXCL,
} from './netlink-message.ts'

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18
export const RTM_SETLINK = 19

const AF_BRIDGE = 7
const HEADER_LENGTH = 16
const ARPHRD_LOOPBACK = 772
const IFF_UP = 1
const IFF_LOWER_UP = 0x10000

const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_MASTER = 10
const IFLA_PROTINFO = 12
const IFLA_LINKINFO = 18
const IFLA_IFALIAS = 20
const IFLA_GROUP = 27
const IFLA_NET_NS_FD = 28
const IFLA_EXT_MASK = 29
const IFLA_NUM_TX_QUEUES = 31
const IFLA_NUM_RX_QUEUES = 32
const IFLA_LINK_NETNSID = 37
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_INFO_SLAVE_KIND = 4
const IFLA_INFO_SLAVE_DATA = 5
const IFLA_BR_AGEING_TIME = 4
const IFLA_BRPORT_MODE = 4
const IFLA_BRPORT_LEARNING = 8
const IFLA_BRPORT_UNICAST_FLOOD = 9
const IFLA_BRPORT_ISOLATED = 33
const IFLA_VXLAN_ID = 1
const IFLA_VXLAN_LINK = 3
const IFLA_VXLAN_LOCAL = 4
const IFLA_VXLAN_LEARNING = 7
const IFLA_VXLAN_PORT = 15
const IFLA_VXLAN_LOCAL6 = 17
/** Counters are most of a link's message, and nobody here reads them. */
const RTEXT_FILTER_SKIP_STATS = 8
const VETH_INFO_PEER = 1

/** Clock ticks in a second, as the kernel counts them towards user space on every architecture. */
const USER_HZ = 100

/** A link as one message tells it: other links by index. */
export interface LinkRow {
  readonly index: number
  readonly name: string
  readonly family: number
  /** As the kernel calls it, `veth`; undefined for a device. */
  readonly kind: string | undefined
  /** The other end's index, of a veth pair within one namespace. */
  readonly pair: number | undefined
  toLink(nameOf: NameOf): Link
}

/** EPROTO. */
export function readLink(payload: Uint8Array): LinkRow {
  const header = fixedHeader(payload, HEADER_LENGTH)
  const attributes = new Attributes(payload, HEADER_LENGTH)
  const index = header.getInt32(4, true)
  const name = attributes.text(IFLA_IFNAME) ?? unknownName(index)
  return {
    index,
    name,
    family: header.getUint8(0),
    kind: attributes.nested(IFLA_LINKINFO)?.text(IFLA_INFO_KIND),
    pair: attributes.bytes(IFLA_LINK_NETNSID) === undefined ? attributes.u32(IFLA_LINK) : undefined,
    toLink: (nameOf) => toLink(header, attributes, index, name, nameOf),
  }
}

function toLink(header: DataView, attributes: Attributes, index: number, name: string, nameOf: NameOf): Link {
  const flags = header.getUint32(8, true)
  const address = attributes.bytes(IFLA_ADDRESS)
  const alias = attributes.text(IFLA_IFALIAS)
  const info = attributes.nested(IFLA_LINKINFO)
  const port = readPort(attributes, info, nameOf)
  const facts = {
    name,
    index,
    mac: address?.length === 6 ? macFromBytes(address) : ZERO_MAC,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0,
    ...(port === undefined ? {} : { port }),
    ...(alias === undefined || alias === '' ? {} : { alias }),
  }
  if (header.getUint16(2, true) === ARPHRD_LOOPBACK) return { kind: 'loopback', ...facts }
  const data = info?.nested(IFLA_INFO_DATA)
  switch (info?.text(IFLA_INFO_KIND)) {
    case 'veth':
      return { kind: 'veth', ...facts, peerIndex: attributes.u32(IFLA_LINK) ?? index }
    case 'bridge':
      return { kind: 'bridge', ...facts, ageing: (data?.u32(IFLA_BR_AGEING_TIME) ?? 0) / USER_HZ }
    case 'vxlan':
      return { kind: 'vxlan', ...facts, ...readVxlan(data, nameOf) }
    default:
      return { kind: 'device', ...facts }
  }
}

function readVxlan(data: Attributes | undefined, nameOf: NameOf) {
  const underlay = data?.u32(IFLA_VXLAN_LINK) ?? 0
  const local4 = data?.bytes(IFLA_VXLAN_LOCAL)
  const local6 = data?.bytes(IFLA_VXLAN_LOCAL6)
  const local = local4?.length === 4 ? local4 : local6?.length === 16 ? local6 : undefined
  return {
    vni: data?.u32(IFLA_VXLAN_ID) ?? 0,
    udpPort: data?.u16Big(IFLA_VXLAN_PORT) ?? 0,
    learning: data?.u8(IFLA_VXLAN_LEARNING) === 1,
    ...(local === undefined ? {} : { local: ipFromBytes(local) }),
    ...(underlay === 0 ? {} : { underlay: nameOf(underlay) }),
  }
}

function readPort(
  attributes: Attributes,
  info: Attributes | undefined,
  nameOf: NameOf,
): BridgePort | undefined {
  const bridge = attributes.u32(IFLA_MASTER)
  if (bridge === undefined || info?.text(IFLA_INFO_SLAVE_KIND) !== 'bridge') return undefined
  const data = info.nested(IFLA_INFO_SLAVE_DATA)
  return {
    bridge: nameOf(bridge),
    hairpin: data?.u8(IFLA_BRPORT_MODE) === 1,
    learning: data?.u8(IFLA_BRPORT_LEARNING) === 1,
    flood: data?.u8(IFLA_BRPORT_UNICAST_FLOOD) === 1,
    isolated: data?.u8(IFLA_BRPORT_ISOLATED) === 1,
  }
}

function header(writer: NetlinkWriter, index: number, flags = 0, mask = 0, family = 0): NetlinkWriter {
  return writer.u8(family).u8(0).u16(0).u32(index).u32(flags).u32(mask)
}

export function getLink(which: number | string): NetlinkWriter {
  const writer = new NetlinkWriter(RTM_GETLINK)
  const byIndex = typeof which === 'number'
  header(writer, byIndex ? which : 0).attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
  return byIndex ? writer : writer.attributeText(IFLA_IFNAME, which)
}

export function listLinks(): NetlinkWriter {
  return header(new NetlinkWriter(RTM_GETLINK), 0).attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
}

/**
 * `netnsFd` is where a veth's peer is made, when its namespace is another one. With `told`, kernels that can answer with the new
 * link (6.1 and later).
 */
export function addLink(
  link: LinkSpec,
  indexOf: IndexOf,
  netnsFd: number | undefined,
  told = false,
): NetlinkWriter {
  const bridge = link.bridge === undefined ? undefined : indexOf(link.bridge)
  const underlay = link.kind === 'vxlan' && link.underlay !== undefined ? indexOf(link.underlay) : undefined
  const up = link.up === true ? IFF_UP : 0
  const flags = NLM_F_CREATE | NLM_F_EXCL | (told ? NLM_F_ECHO : 0)
  const writer = header(new NetlinkWriter(RTM_NEWLINK, flags), 0, up, up)
  writer.attributeText(IFLA_IFNAME, link.name)
  if (link.mtu !== undefined) writer.attributeU32(IFLA_MTU, link.mtu)
  if (link.mac !== undefined) writer.attribute(IFLA_ADDRESS, macToBytes(link.mac))
  if (bridge !== undefined) writer.attributeU32(IFLA_MASTER, bridge)
  if (link.kind === 'veth') oneQueue(writer)
  return writer.nest(IFLA_LINKINFO, (info) => {
    info.attributeText(IFLA_INFO_KIND, link.kind)
    info.nest(IFLA_INFO_DATA, (data) => {
      switch (link.kind) {
        case 'veth':
          data.nest(VETH_INFO_PEER, (peer) => writePeer(peer, link.peer, netnsFd))
          break
        case 'bridge':
          if (link.ageing !== undefined) data.attributeU32(IFLA_BR_AGEING_TIME, link.ageing * USER_HZ)
          break
        case 'vxlan':
          data.attributeU32(IFLA_VXLAN_ID, link.vni)
          data.attributeU16Big(IFLA_VXLAN_PORT, link.udpPort ?? 8472)
          data.attributeU8(IFLA_VXLAN_LEARNING, link.learning === false ? 0 : 1)
          if (underlay !== undefined) data.attributeU32(IFLA_VXLAN_LINK, underlay)
          if (link.local !== undefined) {
            const attribute = link.local.includes(':') ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL
            data.attribute(attribute, ipToBytes(link.local))
          }
          break
      }
    })
  })
}

type Peer = Extract<LinkSpec, { kind: 'veth' }>['peer']

function writePeer(writer: NetlinkWriter, peer: Peer, netnsFd: number | undefined): void {
  header(writer, 0).attributeText(IFLA_IFNAME, peer.name)
  if (peer.mtu !== undefined) writer.attributeU32(IFLA_MTU, peer.mtu)
  if (peer.mac !== undefined) writer.attribute(IFLA_ADDRESS, macToBytes(peer.mac))
  if (netnsFd !== undefined) writer.attributeU32(IFLA_NET_NS_FD, netnsFd)
  oneQueue(writer)
}

/** A veth uses one queue anyway; saying so saves the kernel two waits for all processors. */
function oneQueue(writer: NetlinkWriter): void {
  writer.attributeU32(IFLA_NUM_TX_QUEUES, 1).attributeU32(IFLA_NUM_RX_QUEUES, 1)
}

/** Everything of a change but the port's own settings. */
export function setLink(
  index: number,
  change: LinkChange,
  indexOf: IndexOf,
  netnsFd: number | undefined,
): NetlinkWriter {
  const { up, mtu, mac, alias, name, bridge } = change
  const master = typeof bridge === 'string' ? indexOf(bridge) : bridge === null ? 0 : undefined
  const flags = up === true ? IFF_UP : 0
  const writer = header(new NetlinkWriter(RTM_SETLINK), index, flags, up === undefined ? 0 : IFF_UP)
  if (name !== undefined) writer.attributeText(IFLA_IFNAME, name)
  if (mtu !== undefined) writer.attributeU32(IFLA_MTU, mtu)
  if (mac !== undefined) writer.attribute(IFLA_ADDRESS, macToBytes(mac))
  if (alias !== undefined) writer.attribute(IFLA_IFALIAS, new TextEncoder().encode(alias))
  if (master !== undefined) writer.attributeU32(IFLA_MASTER, master)
  if (netnsFd !== undefined) writer.attributeU32(IFLA_NET_NS_FD, netnsFd)
  return writer
}

export function setPort(index: number, port: NonNullable<LinkChange['port']>): NetlinkWriter {
  const writer = header(new NetlinkWriter(RTM_SETLINK), index, 0, 0, AF_BRIDGE)
  return writer.nest(IFLA_PROTINFO, (data) => {
    const setting = (type: number, value: boolean | undefined) => {
      if (value !== undefined) data.attributeU8(type, value ? 1 : 0)
    }
    setting(IFLA_BRPORT_MODE, port.hairpin)
    setting(IFLA_BRPORT_LEARNING, port.learning)
    setting(IFLA_BRPORT_UNICAST_FLOOD, port.flood)
    setting(IFLA_BRPORT_ISOLATED, port.isolated)
  })
}

export function deleteLink(index: number): NetlinkWriter {
  return header(new NetlinkWriter(RTM_DELLINK), index)
}

export function setGroup(index: number, group: number): NetlinkWriter {
  return header(new NetlinkWriter(RTM_SETLINK), index).attributeU32(IFLA_GROUP, group)
}

/** All links of a group in one go; all or none. */
export function deleteGroup(group: number): NetlinkWriter {
  return header(new NetlinkWriter(RTM_DELLINK), 0).attributeU32(IFLA_GROUP, group)
}
