import type { Conntrack, ConntrackEntry, ConntrackFilter, FlowTuple } from '@podfabric/kernel'
import { KernelError } from '@podfabric/kernel'
import { ipFromBytes } from '@podfabric/netaddr'
import { Attributes, NetlinkWriter } from './netlink-message.ts'
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink-socket.ts'
import type { Syscalls } from './syscall.ts'

/** Subsystem 1 of nfnetlink in the upper octet. */
const CT_GET = 0x101
const CT_DELETE = 0x102
const HEADER_LENGTH = 4
const AF_UNSPEC = 0
const CTA_TUPLE_ORIG = 1
const CTA_TUPLE_REPLY = 2
const CTA_STATUS = 3
const CTA_MARK = 8
const CTA_ID = 12
const CTA_TUPLE_IP = 1
const CTA_TUPLE_PROTO = 2
const CTA_IP_V4_SRC = 1
const CTA_IP_V4_DST = 2
const CTA_IP_V6_SRC = 3
const CTA_IP_V6_DST = 4
const CTA_PROTO_NUM = 1
const CTA_PROTO_SRC_PORT = 2
const CTA_PROTO_DST_PORT = 3
const CTA_PROTO_ICMP_ID = 4
const CTA_PROTO_ICMPV6_ID = 7
const NESTED = 0x8000
const IPS_SEEN_REPLY = 2

const protocols = new Map<number, ConntrackEntry['protocol']>([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [58, 'icmpv6'],
])

interface Tracked {
  readonly entry: ConntrackEntry
  readonly family: number
  readonly original: Uint8Array
  readonly id: Uint8Array | undefined
}

/** `namespaceFd` throws EBADF once the handle is disposed. */
export function conntrackIn(sys: Syscalls, namespaceFd: () => number): Conntrack {
  const open = () => new NetlinkSocket(sys, namespaceFd(), NETLINK_NETFILTER)
  return {
    async list(filter = {}) {
      const socket = open()
      try {
        return tracked(socket, filter).map(({ entry }) => entry)
      } finally {
        socket.close()
      }
    },
    async delete(filter) {
      const socket = open()
      try {
        return tracked(socket, filter).filter((one) => forget(socket, one)).length
      } finally {
        socket.close()
      }
    },
  }
}

function header(type: number, family: number): NetlinkWriter {
  return new NetlinkWriter(type).u8(family).u8(0).u16(0)
}

function tracked(socket: NetlinkSocket, filter: ConntrackFilter): readonly Tracked[] {
  // The kernel looks through one table for all namespaces and families: once is dear enough.
  return socket
    .dump(() => header(CT_GET, AF_UNSPEC), 'conntrack -L')
    .flatMap(({ payload }) => readTracked(payload) ?? [])
    .filter(({ entry }) => matches(entry, filter))
}

/** Whether it was still there. */
function forget(socket: NetlinkSocket, { family, original, id }: Tracked): boolean {
  const writer = header(CT_DELETE, family).attribute(CTA_TUPLE_ORIG | NESTED, original)
  if (id !== undefined) writer.attribute(CTA_ID, id)
  try {
    socket.request(writer, 'conntrack -D')
    return true
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOENT') return false
    throw error
  }
}

/** Undefined for protocols that the contract has no words for. EPROTO. */
function readTracked(payload: Uint8Array): Tracked | undefined {
  const attributes = new Attributes(payload, HEADER_LENGTH)
  const original = attributes.bytes(CTA_TUPLE_ORIG)
  const reply = attributes.nested(CTA_TUPLE_REPLY)
  if (original === undefined || reply === undefined) return undefined
  const there = readTuple(new Attributes(original))
  const back = readTuple(reply)
  if (there === undefined || back === undefined) return undefined
  return {
    family: payload[0] ?? 0,
    original: original.slice(),
    id: attributes.bytes(CTA_ID)?.slice(),
    entry: {
      protocol: there.protocol,
      original: there.tuple,
      reply: back.tuple,
      confirmedByReply: ((attributes.u32Big(CTA_STATUS) ?? 0) & IPS_SEEN_REPLY) !== 0,
      mark: attributes.u32Big(CTA_MARK) ?? 0,
    },
  }
}

function readTuple(attributes: Attributes) {
  const ip = attributes.nested(CTA_TUPLE_IP)
  const proto = attributes.nested(CTA_TUPLE_PROTO)
  const protocol = protocols.get(proto?.u8(CTA_PROTO_NUM) ?? -1)
  const source = ip?.bytes(CTA_IP_V4_SRC) ?? ip?.bytes(CTA_IP_V6_SRC)
  const destination = ip?.bytes(CTA_IP_V4_DST) ?? ip?.bytes(CTA_IP_V6_DST)
  if (protocol === undefined || !isIpBytes(source) || !isIpBytes(destination)) return undefined
  const identifier = proto?.u16Big(CTA_PROTO_ICMP_ID) ?? proto?.u16Big(CTA_PROTO_ICMPV6_ID)
  const tuple: FlowTuple = {
    source: ipFromBytes(source),
    destination: ipFromBytes(destination),
    sourcePort: identifier ?? proto?.u16Big(CTA_PROTO_SRC_PORT) ?? 0,
    destinationPort: identifier ?? proto?.u16Big(CTA_PROTO_DST_PORT) ?? 0,
  }
  return { protocol, tuple }
}

function isIpBytes(bytes: Uint8Array | undefined): bytes is Uint8Array {
  return bytes?.length === 4 || bytes?.length === 16
}

function matches(entry: ConntrackEntry, filter: ConntrackFilter): boolean {
  if (filter.protocol !== undefined && filter.protocol !== entry.protocol) return false
  return agrees(entry.original, filter.original) && agrees(entry.reply, filter.reply)
}

function agrees(tuple: FlowTuple, wanted: Partial<FlowTuple> = {}): boolean {
  return (
    (wanted.source ?? tuple.source) === tuple.source &&
    (wanted.destination ?? tuple.destination) === tuple.destination &&
    (wanted.sourcePort ?? tuple.sourcePort) === tuple.sourcePort &&
    (wanted.destinationPort ?? tuple.destinationPort) === tuple.destinationPort
  )
}
