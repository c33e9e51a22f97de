import type { DropReason, Reason } from './reason.ts'

/**
 * One step of one packet: where it was, what was done to it, and why. Everything that shows a packet's
 * way (text, JSON, pcapng comments, the page) reads these records.
 */
export interface Hop {
  /** Names the packet. Kept while it is forwarded, translated and encapsulated; an answer is a new packet. */
  readonly packet: number
  /** The packet that caused this one: the request of an ICMP error, the datagram an ARP request was made for. */
  readonly cause?: number
  /** Counts all hops of a simulation, from 0: the order in which things happened. */
  readonly sequence: number
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly node: string
  /** Name of the namespace on that node; `''` for the node's own. */
  readonly netns: string
  /** The link it was at, where it was at one. */
  readonly link?: string
  readonly step: Step
  readonly reason: Reason
  /** What decided: the route, the neighbor, the fdb entry, the rule. Names of the field, values as text. */
  readonly because: Readonly<Record<string, string | number>>
  /** Where `bytes` begin. */
  readonly layer: 'ethernet' | 'ip'
  /** The packet after this step. The record's own copy. */
  readonly bytes: Uint8Array
}

export type Step =
  /** A socket or the kernel itself made it. */
  | 'send'
  /** A route was chosen for it. */
  | 'route'
  /** NAT changed its addresses or ports. */
  | 'translate'
  /** A tunnel device put outer headers around it. */
  | 'encapsulate'
  /** A tunnel device took the outer headers off. */
  | 'decapsulate'
  /** A bridge chose the port, or the ports, that it leaves by. */
  | 'bridge'
  /** It left by a link. */
  | 'transmit'
  /** It came in by a link. */
  | 'receive'
  /** It waits until a neighbor has answered. */
  | 'wait'
  /** It reached a socket, or the kernel's own answering machine (echo, ARP). */
  | 'deliver'
  /** It ended here; the reason is a `DropReason`. */
  | 'drop'

/** A hop that ended a packet. */
export type Drop = Hop & { readonly step: 'drop'; readonly reason: DropReason }
