import { ARP_REPLY, ARP_REQUEST, type ArpHeader } from './arp.ts'
import type { DissectedLayer, Dissection } from './dissect.ts'
import { type EthernetHeader, etherTypes } from './ethernet.ts'
import { formatIcmp, formatIcmpv6 } from './format-icmp.ts'
import { formatTcp } from './format-tcp.ts'
import type { IcmpHeader } from './icmp.ts'
import type { Icmpv6Header } from './icmpv6.ts'
import type { Ipv4Header } from './ipv4.ts'
import type { Ipv6Header } from './ipv6.ts'
import type { TcpHeader } from './tcp.ts'

/** Where in the packet a header is, for what its line says. */
export interface FormatContext {
  /** The layer inside, undefined for the last. */
  readonly next: DissectedLayer | undefined
  /** Octets of this header. */
  readonly headerLength: number
  /** Octets inside this header, as far as they were read. */
  readonly length: number
  /** Whether link-layer addresses are wanted. */
  readonly link: boolean
}

/** What one header contributes to the line; undefined for nothing. */
export type Formatter<H = never> = (header: H, context: FormatContext) => string | undefined

export interface FormatOptions {
  /** Begin with the Ethernet addresses, as `tcpdump -e` does. Default false. */
  readonly link?: boolean
  /** By layer protocol; default `formatters`. Extend it by `new Map([...formatters, ['vxlan', …]])`. */
  readonly formatters?: ReadonlyMap<string, Formatter>
}

/** One formatter for each protocol of this package. */
export const formatters: ReadonlyMap<string, Formatter> = new Map<string, Formatter>([
  ['ethernet', formatEthernet],
  ['arp', formatArp],
  ['ipv4', formatIpv4],
  ['ipv6', formatIpv6],
  ['icmp', (header: IcmpHeader, context) => `${formatIcmp(header)}, length ${messageLength(context)}`],
  ['icmpv6', (header: Icmpv6Header, context) => `${formatIcmpv6(header)}, length ${messageLength(context)}`],
  ['udp', (_: never, { next, length }) => (next === undefined ? `UDP, length ${length}` : undefined)],
  ['tcp', (header: TcpHeader, { length }) => formatTcp(header, length)],
  ['null', () => undefined],
  ['sll', () => undefined],
  ['sll2', () => undefined],
])

/**
 * The packet in one line, in tcpdump's manner: `IP 10.0.0.1.5000 > 10.0.0.2.53: UDP, length 20`. Inner packets of a
 * tunnel follow the outer after a colon; what is wrong with the packet comes last, in square brackets.
 */
export function formatPacket(dissection: Dissection, options: FormatOptions = {}): string {
  const table = options.formatters ?? formatters
  const { layers, payload, payloadOffset, errors } = dissection
  const end = payloadOffset + payload.length
  const parts: string[] = []
  layers.forEach((layer, i) => {
    const context = {
      next: layers[i + 1],
      headerLength: layer.length,
      length: end - layer.offset - layer.length,
      link: options.link ?? false,
    }
    // The table pairs each protocol's name with the formatter of its header.
    const format = table.get(layer.protocol) as
      | ((header: unknown, context: FormatContext) => string | undefined)
      | undefined
    const part = format === undefined ? layer.protocol : format(layer.header, context)
    if (part !== undefined) parts.push(part)
  })
  if (layers.length === 0) parts.push(`${payload.length} octets`)
  const line = parts.join(': ')
  return errors.length === 0 ? line : `${line} [${errors.map(({ reason }) => reason).join('; ')}]`
}

function messageLength({ headerLength, length }: FormatContext): number {
  return headerLength + length
}

function formatEthernet(header: EthernetHeader, { next, length, link }: FormatContext): string | undefined {
  const parts = header.tags.map((tag) => `vlan ${tag.id}, p ${tag.priority}`)
  if (link) parts.unshift(`${header.source} > ${header.destination}, ethertype ${etherTypeName(header.type)}`)
  else if (next === undefined) parts.push(`ethertype ${etherTypeName(header.type)}`)
  if (next === undefined) parts.push(`length ${length}`)
  return parts.length === 0 ? undefined : parts.join(', ')
}

function etherTypeName(type: number): string {
  const hex = `0x${type.toString(16).padStart(4, '0')}`
  for (const [name, value] of Object.entries(etherTypes)) if (value === type) return `${name} (${hex})`
  return type === 0 ? '802.3' : hex
}

function formatArp(header: ArpHeader): string {
  if (header.operation === ARP_REQUEST)
    return `ARP, Request who-has ${header.targetIp} tell ${header.senderIp}`
  if (header.operation === ARP_REPLY) return `ARP, Reply ${header.senderIp} is-at ${header.senderMac}`
  return `ARP, operation ${header.operation}`
}

function formatIpv4(header: Ipv4Header, { next, length }: FormatContext): string {
  const line = `IP ${endpoints(header.source, header.destination, next)}`
  const { fragmentOffset, moreFragments } = header
  const isFragment = fragmentOffset > 0 || moreFragments
  if (!isFragment && next !== undefined) return line
  const fragment = isFragment ? `fragment ${fragmentOffset}${moreFragments ? '+' : ''}` : undefined
  const rest = [fragment, next === undefined ? `protocol ${header.protocol}, length ${length}` : undefined]
  return `${line}: ${rest.filter((part) => part !== undefined).join(', ')}`
}

function formatIpv6(header: Ipv6Header, { next, length }: FormatContext): string {
  const line = `IP6 ${endpoints(header.source, header.destination, next)}`
  const rest: string[] = []
  for (const extension of header.extensions) {
    if (extension.kind === 'fragment')
      rest.push(`fragment ${extension.offset}${extension.moreFragments ? '+' : ''}`)
    else rest.push(extension.kind)
  }
  if (next === undefined) rest.push(`next-header ${header.nextHeader}, length ${length}`)
  return rest.length === 0 ? line : `${line}: ${rest.join(', ')}`
}

function endpoints(source: string, destination: string, next: DissectedLayer | undefined): string {
  const header = next?.header
  if (
    typeof header !== 'object' ||
    header === null ||
    !('sourcePort' in header && 'destinationPort' in header)
  ) {
    return `${source} > ${destination}`
  }
  return `${source}.${header.sourcePort} > ${destination}.${header.destinationPort}`
}
