import type { NftChain, NftCommand, NftExpression, NftFamily, NftObject, NftRule } from '@podfabric/kernel'
import { ip, parseIpv4, parseIpv6 } from '@podfabric/netaddr'
import {
  dissect,
  encodePacket,
  type IcmpHeader,
  type Icmpv6Header,
  icmp,
  icmpv6,
  ipProtocols,
  ipv4,
  ipv4Header,
  ipv6,
  ipv6Header,
  layer,
  linkTypes,
  type PacketLayer,
  tcp,
  tcpFlags,
  tcpHeader,
  udp,
} from '@podfabric/wire'
import { virtualClock } from '../src/clock.ts'
import {
  type AddressType,
  type Decision,
  type Hook,
  type Netfilter,
  type NetfilterPacket,
  netfilter,
} from '../src/netfilter.ts'
import { seededRandom } from '../src/random.ts'

/** A router's netfilter: masquerading takes these addresses; 10.9.0.1 and fd09::1 are its own. */
export function router() {
  const clock = virtualClock({ start: 1000 })
  const rules = netfilter({
    clock,
    random: seededRandom(1),
    sourceOn: (output, { family }) => {
      if (output !== 'out') return undefined
      return family === 4 ? ip('192.0.2.1') : ip('2001:db8::1')
    },
    addressType: (bytes, at, family): AddressType =>
      bytes[at] === (family === 4 ? 10 : 0xfd) ? 'local' : 'unicast',
  })
  return { clock, rules }
}

export const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
export const remove = (object: NftObject): NftCommand => ({ verb: 'delete', object })

/** A table `t` with a base chain, and rules in it. */
export function chainWith(
  base: NonNullable<NftChain['base']>,
  rules: readonly (readonly NftExpression[])[],
  family: NftFamily = 'inet',
  name: string = base.hook,
): NftCommand[] {
  return [
    add({ kind: 'table', family, name: 't' }),
    add({ kind: 'chain', family, table: 't', name, base }),
    ...rules.map((expressions) => add(rule(name, expressions, family))),
  ]
}

export function rule(
  chain: string,
  expressions: readonly NftExpression[],
  family: NftFamily = 'inet',
): NftRule {
  return { kind: 'rule', family, table: 't', chain, expressions }
}

export const nat = (hook: 'prerouting' | 'input' | 'output' | 'postrouting') =>
  ({ type: 'nat', hook, priority: hook === 'prerouting' || hook === 'output' ? -100 : 100 }) as const
export const filter = (hook: Hook, policy: 'accept' | 'drop' = 'accept') =>
  ({ type: 'filter', hook, priority: 0, policy }) as const

export interface Ends {
  readonly from: string
  readonly to: string
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly payload?: Uint8Array
}

function ipLayer(from: string, to: string, protocol: number): PacketLayer {
  if (!from.includes(':')) {
    return layer(ipv4, ipv4Header({ source: parseIpv4(from), destination: parseIpv4(to), protocol }))
  }
  return layer(
    ipv6,
    ipv6Header({ source: parseIpv6(from), destination: parseIpv6(to), nextHeader: protocol }),
  )
}

export function udpPacket({
  from,
  to,
  sourcePort = 5000,
  destinationPort = 53,
  payload,
}: Ends): NetfilterPacket {
  return packetOf([ipLayer(from, to, ipProtocols.udp), layer(udp, { sourcePort, destinationPort })], payload)
}

export function tcpPacket(
  { from, to, sourcePort = 5000, destinationPort = 80, payload }: Ends,
  flags: number = tcpFlags.syn,
): NetfilterPacket {
  const header = tcpHeader({ sourcePort, destinationPort, sequence: 1, flags })
  return packetOf([ipLayer(from, to, ipProtocols.tcp), layer(tcp, header)], payload)
}

export function echoPacket({ from, to, sourcePort = 7, payload }: Ends, kind: 'echo-request' | 'echo-reply') {
  const header = { kind, identifier: sourcePort, sequence: 1 } as const
  return icmpPacket({ from, to, ...(payload === undefined ? {} : { payload }) }, header, header)
}

/** An ICMP message over the version that the addresses are of. */
export function icmpPacket({ from, to, payload }: Ends, v4: IcmpHeader, v6: Icmpv6Header): NetfilterPacket {
  if (from.includes(':')) return packetOf([ipLayer(from, to, ipProtocols.icmpv6), layer(icmpv6, v6)], payload)
  return packetOf([ipLayer(from, to, ipProtocols.icmp), layer(icmp, v4)], payload)
}

/** Port unreachable, which quotes what a packet looks like now, cut after `octets`. */
export function errorFor(quoted: NetfilterPacket, from: string, to: string, octets = 2000): NetfilterPacket {
  const payload = octetsOf(quoted).slice(0, octets)
  const unreachable = (code: number) => ({ kind: 'unreachable', code }) as const
  return icmpPacket({ from, to, payload }, unreachable(3), unreachable(4))
}

function packetOf(
  layers: readonly PacketLayer[],
  payload: Uint8Array = new Uint8Array([1, 2, 3]),
): NetfilterPacket {
  const packet = encodePacket(layers, payload, 10)
  const family = (packet[0] ?? 0) >>> 4 === 6 ? 6 : 4
  const bytes = new Uint8Array(packet.buffer)
  return { bytes, offset: 10, length: packet.length, family, mark: 0, connection: undefined }
}

export function octetsOf({ bytes, offset, length }: NetfilterPacket): Uint8Array {
  return bytes.slice(offset, offset + length)
}

/** What a reader with nothing but the octets sees: addresses and ports; it throws for a wrong checksum. */
export function seen(packet: NetfilterPacket): string {
  const { layers, errors } = dissect(octetsOf(packet), { start: linkTypes.raw })
  for (const { code, layer: where, reason } of errors) throw new Error(`${code} in ${where}: ${reason}`)
  const [outer, inner] = layers.map(({ header }) => header as Record<string, unknown>)
  const ports =
    inner?.sourcePort === undefined ? [inner?.identifier, ''] : [inner.sourcePort, inner.destinationPort]
  return `${outer?.source} ${ports[0] ?? ''} > ${outer?.destination} ${ports[1]}`.trim()
}

/** A packet that the router forwards, until it is stopped: in by `in`, out by `out`, or the other way. */
export function forward(rules: Netfilter, packet: NetfilterPacket, way: 'out' | 'in' = 'out'): Decision[] {
  const [input, output] = way === 'out' ? ['in', 'out'] : ['out', 'in']
  const decisions: Decision[] = []
  for (const [hook, site] of [
    ['prerouting', { input, output: '' }],
    ['forward', { input, output }],
    ['postrouting', { input: '', output }],
  ] as const) {
    const decision = rules.hook(packet, hook, site)
    decisions.push(decision)
    if (decision.verdict !== 'accept') break
  }
  return decisions
}

/** Whether all hooks let it pass. */
export function passes(decisions: readonly Decision[]): boolean {
  return decisions.every(({ verdict }) => verdict === 'accept')
}
