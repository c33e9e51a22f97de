import type { Ip } from '@podfabric/netaddr'
import type { RouteQuery } from '../../route.ts'
import type { Endpoint } from '../../sockets.ts'
import { formatStep, type ScenarioStep } from './scenario.ts'

/**
 * Operations that build a network out of fresh namespaces, and packets that cross it, as data. Operations may come
 * between packets. Every namespace takes datagrams and connections at `OPEN_PORT`, at any address of both families.
 */
export interface PacketScenario {
  readonly namespaces: readonly string[]
  readonly steps: readonly (ScenarioStep | TrafficStep)[]
  /** `ip route get`, asked in each namespace at the end. */
  readonly lookups: readonly RouteQuery[]
}

export interface TrafficStep {
  readonly at: string
  readonly traffic: Traffic
}

export type Traffic = DatagramTraffic | EchoTraffic | ConnectTraffic

interface SizedTraffic {
  /** Octets of data; what they are follows from how many there are. */
  readonly size: number
  readonly ttl?: number
  readonly dontFragment?: boolean
}

export interface DatagramTraffic extends SizedTraffic {
  readonly kind: 'datagram'
  /** Address and port that it is sent from; the address may be the unspecified one. */
  readonly from: Endpoint
  readonly to: Endpoint
  /** Whether whoever gets it sends the same octets back to where it came from. */
  readonly answered: boolean
}

export interface EchoTraffic extends SizedTraffic {
  readonly kind: 'echo'
  readonly source?: Ip
  readonly destination: Ip
}

/** A connection that is accepted gets two octets and is reset. */
export interface ConnectTraffic {
  readonly kind: 'connect'
  readonly from: Endpoint
  readonly to: Endpoint
}

export const OPEN_PORT = 7

export function isTraffic(step: ScenarioStep | TrafficStep): step is TrafficStep {
  return 'traffic' in step
}

/** The octets of a size. */
export function contents(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 7 + size)
}

/** A step as what a person would have typed. */
export function formatPacketStep(step: ScenarioStep | TrafficStep): string {
  if (!isTraffic(step)) return formatStep(step)
  const { at, traffic } = step
  const sized = (of: SizedTraffic) =>
    `${of.size} octets${of.ttl === undefined ? '' : ` ttl ${of.ttl}`}${of.dontFragment ? ' DF' : ''}`
  switch (traffic.kind) {
    case 'echo': {
      const { source, destination } = traffic
      return `[${at}] ping ${source === undefined ? '' : `-I ${source} `}${destination} ${sized(traffic)}`
    }
    case 'datagram': {
      const { from, to, answered } = traffic
      return `[${at}] udp ${text(from)} > ${text(to)} ${sized(traffic)}${answered ? ', answered' : ''}`
    }
    case 'connect':
      return `[${at}] tcp ${text(traffic.from)} > ${text(traffic.to)}`
  }
}

function text({ address, port }: Endpoint): string {
  return `${address} port ${port}`
}
