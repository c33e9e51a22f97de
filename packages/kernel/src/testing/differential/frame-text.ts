import { ipFromBytes } from '@podfabric/netaddr'

/** What sort of frame it is: neighbor discovery and TCP repeat themselves when time passes, other packets never. */
export type FrameKind = 'packet' | 'neighbor' | 'tcp'

export interface FrameText {
  readonly kind: FrameKind
  /** What it says, without what a kernel chooses at random: identifications, sequence numbers, tunnels' ports. */
  readonly text: string
}

const IPV4 = 0x0800
const ARP = 0x0806
const IPV6 = 0x86dd
export const VXLAN_PORTS = [4789, 8472]
const protocols: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp6' }

/**
 * A frame as text, the same on every kernel that sent the same. Undefined for what hosts say by themselves and when
 * they like: reports of multicast groups, router solicitations, duplicate address detection.
 */
export function frameText(frame: Uint8Array): FrameText | undefined {
  if (frame.length < 14) return { kind: 'packet', text: `runt of ${frame.length}` }
  const at = viewOf(frame)
  const ends = `${macAt(frame, 6)} > ${macAt(frame, 0)}`
  const rest = frame.subarray(14)
  const type = at.getUint16(12)
  const inner = type === IPV4 || type === IPV6 ? packetText(rest) : type === ARP ? arpText(rest) : undefined
  if (inner === undefined) return undefined
  return { kind: inner.kind, text: `${ends} ${inner.text}` }
}

function arpText(arp: Uint8Array): FrameText {
  const at = viewOf(arp)
  const names = ['', 'asks', 'answers']
  const text = `arp ${macAt(arp, 8)} ${ipFromBytes(arp, 14, 4)} ${names[at.getUint16(6)]} ${ipFromBytes(arp, 24, 4)}`
  return { kind: 'neighbor', text }
}

/** A packet of either family; as a quote it may be cut short, and its checksums are not looked at. */
function packetText(packet: Uint8Array, quote = false): FrameText | undefined {
  const version = (packet[0] ?? 0) >> 4
  if (version === 4 && packet.length >= 20) return text4(packet, quote)
  if (version === 6 && packet.length >= 40) return text6(packet, quote)
  return { kind: 'packet', text: `no packet of ${packet.length}` }
}

function text4(packet: Uint8Array, quote: boolean): FrameText | undefined {
  const at = viewOf(packet)
  const length = (at.getUint8(0) & 15) * 4
  const total = at.getUint16(2)
  const flags = at.getUint16(6)
  const [source, destination] = [ipFromBytes(packet, 12, 4), ipFromBytes(packet, 16, 4)]
  const words = [`${source} > ${destination} ttl ${at.getUint8(8)} length ${total}`]
  if ((flags & 0x4000) !== 0) words.push('DF')
  if (!quote && sumOf(packet.subarray(0, length)) !== 0xffff) words.push('BAD HEADER SUM')
  if ((flags & 0x3fff) !== 0)
    words.push(`fragment ${(flags & 0x1fff) * 8}${(flags & 0x2000) !== 0 ? '+' : ''}`)
  const payload = packet.subarray(length, Math.max(length, total))
  return transportText(payload, {
    protocol: at.getUint8(9),
    words,
    whole: (flags & 0x3fff) === 0,
    first: (flags & 0x1fff) === 0,
    quote,
    pseudo: pseudoHeader(packet.subarray(12, 20), at.getUint8(9), payload.length),
  })
}

function text6(packet: Uint8Array, quote: boolean): FrameText | undefined {
  const at = viewOf(packet)
  const total = 40 + at.getUint16(4)
  const [source, destination] = [ipFromBytes(packet, 8, 6), ipFromBytes(packet, 24, 6)]
  const words = [`${source} > ${destination} ttl ${at.getUint8(7)} length ${total}`]
  let protocol = at.getUint8(6)
  let start = 40
  let offset = 0
  let more = false
  // Hop-by-hop options are in multicast listener reports only.
  if (protocol === 0) return undefined
  if (protocol === 44 && packet.length >= 48) {
    protocol = at.getUint8(40)
    start = 48
    offset = at.getUint16(42) & 0xfff8
    more = (at.getUint16(42) & 1) === 1
    words.push(`fragment ${offset}${more ? '+' : ''}`)
  }
  const payload = packet.subarray(start, Math.max(start, total))
  return transportText(payload, {
    protocol,
    words,
    whole: start === 40,
    first: offset === 0,
    quote,
    pseudo: pseudoHeader(packet.subarray(8, 40), protocol, payload.length),
  })
}

interface Carried {
  readonly protocol: number
  readonly words: string[]
  /** Not a fragment, and its first one at most. */
  readonly whole: boolean
  readonly first: boolean
  readonly quote: boolean
  readonly pseudo: number
}

function transportText(payload: Uint8Array, carried: Carried): FrameText | undefined {
  const { protocol, words, whole, first, quote, pseudo } = carried
  const at = viewOf(payload)
  const name = protocols[protocol] ?? `protocol ${protocol}`
  const say = (kind: FrameKind, ...more: readonly string[]): FrameText => ({
    kind,
    text: [...words, name, ...more].join(' '),
  })
  if (!first || payload.length < 8) return say('packet')
  const bad = whole && !quote && !holds(payload, pseudo, protocol) ? ['BAD SUM'] : []
  const ports = `${at.getUint16(0)} > ${at.getUint16(2)}`
  switch (protocol) {
    case 2:
      return undefined
    case 17: {
      if (VXLAN_PORTS.includes(at.getUint16(2))) return tunnelled(payload, carried)
      return say('packet', ports, ...bad, ...(whole && !quote ? [hash(payload.subarray(8))] : []))
    }
    case 6: {
      if (quote) return say('tcp', ports)
      // How data and acknowledgements are cut is a matter of time: beginnings and resets are not.
      const flags = at.getUint8(13)
      return (flags & 6) === 0 ? undefined : say('tcp', ports, flagsText(flags), ...bad)
    }
    case 1:
    case 58:
      return controlText(payload, carried, say, bad)
    default:
      return say('packet', ...bad)
  }
}

function tunnelled(payload: Uint8Array, { words, whole, quote }: Carried): FrameText | undefined {
  const port = viewOf(payload).getUint16(2)
  if (!whole || quote || payload.length < 16)
    return { kind: 'packet', text: [...words, `vxlan ${port}`].join(' ') }
  const inner = frameText(payload.subarray(16))
  if (inner === undefined) return undefined
  return {
    kind: inner.kind,
    text: [...words, `vxlan ${port} ${viewOf(payload).getUint32(12) >>> 8} {${inner.text}}`].join(' '),
  }
}

function controlText(
  icmp: Uint8Array,
  { protocol, whole, quote }: Carried,
  say: (kind: FrameKind, ...more: readonly string[]) => FrameText,
  bad: readonly string[],
): FrameText | undefined {
  const at = viewOf(icmp)
  const [type, code] = [at.getUint8(0), at.getUint8(1)]
  const isEcho = protocol === 1 ? type === 0 || type === 8 : type === 128 || type === 129
  const contents = whole && !quote ? [hash(icmp.subarray(8))] : []
  if (isEcho) return say('packet', `${type} sequence ${at.getUint16(6)}`, ...bad, ...contents)
  if (protocol === 58 && type >= 130) return discoveryText(icmp, say, bad)
  const isError = protocol === 1 ? [3, 4, 5, 11, 12].includes(type) : type < 128
  if (!isError || quote) return say('packet', `${type}/${code}`, ...bad)
  const about = packetText(icmp.subarray(8), true)
  const kind = about?.kind ?? 'packet'
  return say(
    kind,
    `${type}/${code} ${at.getUint32(4)}`,
    ...bad,
    `about {${about?.text}} of ${icmp.length - 8}`,
  )
}

/** Neighbor discovery (RFC 4861). What is not about neighbors, or is duplicate address detection, is chatter. */
function discoveryText(
  icmp: Uint8Array,
  say: (kind: FrameKind, ...more: readonly string[]) => FrameText,
  bad: readonly string[],
): FrameText | undefined {
  const type = icmp[0] ?? 0
  if ((type !== 135 && type !== 136) || icmp.length < 24) return undefined
  const said = say('neighbor', '')
  if (said.text.startsWith(':: >')) return undefined
  const flags = type === 136 ? ` flags ${(icmp[4] ?? 0) >> 5}` : ''
  const link = icmp.length >= 32 ? ` at ${macAt(icmp, 26)}` : ''
  return say(
    'neighbor',
    `${type === 135 ? 'asks' : 'answers'} ${ipFromBytes(icmp, 8, 6)}${link}${flags}`,
    ...bad,
  )
}

function flagsText(flags: number): string {
  return ['F', 'S', 'R', 'P', 'A'].filter((_, i) => (flags & (1 << i)) !== 0).join('')
}

function holds(payload: Uint8Array, pseudo: number, protocol: number): boolean {
  const at = viewOf(payload)
  if (protocol === 17 && at.getUint16(6) === 0) return true
  if (protocol !== 1 && protocol !== 6 && protocol !== 17 && protocol !== 58) return true
  return sumOf(payload, protocol === 1 ? 0 : pseudo) === 0xffff
}

function pseudoHeader(addresses: Uint8Array, protocol: number, length: number): number {
  return sumOf(addresses, protocol + length)
}

/** RFC 1071. */
function sumOf(bytes: Uint8Array, initial = 0): number {
  let sum = initial
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

/** FNV-1a: tells contents apart in few characters. */
export function hash(bytes: Uint8Array): string {
  let sum = 0x811c9dc5
  for (const octet of bytes) sum = Math.imul(sum ^ octet, 0x01000193)
  return `${bytes.length}:${(sum >>> 0).toString(16)}`
}

function macAt(bytes: Uint8Array, at: number): string {
  return [...bytes.subarray(at, at + 6)].map((octet) => octet.toString(16).padStart(2, '0')).join(':')
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
