import type { NftField } from '@podfabric/kernel'
import { ipProtocols, u16At, u32At } from '@podfabric/wire'
import type { NetfilterView } from './netfilter-view.ts'
import { addressTypes, type ValueKind } from './nft-value.ts'

/** One condition of a rule, or something it does on the way; false ends the rule. */
export type Step = (view: NetfilterView) => boolean

export interface Field {
  readonly kind: ValueKind
  /** The IP version that it is a field of, and the transport protocol. */
  readonly family?: 4 | 6
  readonly protocol?: number
  /** Whether a packet has it. */
  readonly present: Step
  /** Its value, where that is a number of 32 bits. */
  readonly number?: (view: NetfilterView) => number
  /** Where it is in the packet, where it is 16 octets. */
  readonly place?: (view: NetfilterView) => number
  /** Its value, where that is a name. */
  readonly name?: (view: NetfilterView) => string
}

const always: Step = () => true
const isIpv4: Step = (view) => view.family === 4
const isIpv6: Step = (view) => view.family === 6

const { tcp, udp } = ipProtocols

export const nftFields: Readonly<Record<NftField, Field>> = {
  'ip saddr': {
    kind: 'ipv4_addr',
    family: 4,
    present: isIpv4,
    number: (view) => u32At(view.bytes, view.offset + 12),
  },
  'ip daddr': {
    kind: 'ipv4_addr',
    family: 4,
    present: isIpv4,
    number: (view) => u32At(view.bytes, view.offset + 16),
  },
  'ip6 saddr': { kind: 'ipv6_addr', family: 6, present: isIpv6, place: (view) => view.offset + 8 },
  'ip6 daddr': { kind: 'ipv6_addr', family: 6, present: isIpv6, place: (view) => view.offset + 24 },
  'tcp sport': port(tcp, 0),
  'tcp dport': port(tcp, 2),
  'udp sport': port(udp, 0),
  'udp dport': port(udp, 2),
  'th sport': transportPort(0),
  'th dport': transportPort(2),
  'meta l4proto': {
    kind: 'inet_proto',
    present: (view) => view.protocol >= 0,
    number: (view) => view.protocol,
  },
  'meta mark': { kind: 'mark', present: always, number: (view) => view.packet.mark >>> 0 },
  iifname: { kind: 'ifname', present: always, name: (view) => view.input },
  oifname: { kind: 'ifname', present: always, name: (view) => view.output },
  'ct state': { kind: 'ct_state', present: always, number: (view) => view.connection?.bit ?? 1 },
  'ct status': {
    kind: 'ct_status',
    present: (view) => view.connection?.connection !== undefined,
    number: (view) => view.connection?.connection?.status ?? 0,
  },
  'fib daddr type': {
    kind: 'fib_addrtype',
    present: always,
    number: (view) =>
      addressTypes[view.environment.addressType(view.bytes, view.destination, view.family)] ?? 0,
  },
}

function port(protocol: number, offset: number): Field {
  return {
    kind: 'inet_service',
    protocol,
    present: (view) => view.hasTransport(protocol, offset + 2),
    number: (view) => u16At(view.bytes, view.transport + offset),
  }
}

function transportPort(offset: number): Field {
  return {
    kind: 'inet_service',
    present: ({ transport, end }) => transport >= 0 && transport + offset + 2 <= end,
    number: (view) => u16At(view.bytes, view.transport + offset),
  }
}
