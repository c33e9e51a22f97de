import type { Ip, Mac } from '@podfabric/netaddr'
import type { Netns } from './netns.ts'

/** `ip link`: one network device, as the kernel reports it. */
export type Link = LoopbackLink | VethLink | BridgeLink | VxlanLink | DeviceLink

interface LinkFacts {
  /** 1 to 15 octets, without `/` and white space. Unique in its namespace. */
  readonly name: string
  /** Unique in its namespace, and kept while the link lives there. */
  readonly index: number
  readonly mac: Mac
  /** Octets of the largest packet, without the Ethernet header. */
  readonly mtu: number
  /** The administrative state (IFF_UP). */
  readonly up: boolean
  /** Whether it can carry packets now (IFF_LOWER_UP and up): a veth needs its peer up too. */
  readonly running: boolean
  /** The bridge it is a port of, and how. */
  readonly port?: BridgePort
  /** Free text of at most 255 octets; ours begins with the mark. */
  readonly alias?: string
}

export interface LoopbackLink extends LinkFacts {
  readonly kind: 'loopback'
}

export interface VethLink extends LinkFacts {
  readonly kind: 'veth'
  /** The other end: its index, counted in its own namespace. */
  readonly peerIndex: number
}

export interface BridgeLink extends LinkFacts {
  readonly kind: 'bridge'
  /** Seconds after which a learned entry is forgotten. */
  readonly ageing: number
}

export interface VxlanLink extends LinkFacts {
  readonly kind: 'vxlan'
  readonly vni: number
  /** UDP destination port. */
  readonly udpPort: number
  /** Source address of the outer header. */
  readonly local?: Ip
  /** Name of the link that the outer packets leave by. */
  readonly underlay?: string
  /** Whether it learns inner MAC to outer address from what it receives. */
  readonly learning: boolean
}

/** A network card, or a kind of link that this contract has no words for. */
export interface DeviceLink extends LinkFacts {
  readonly kind: 'device'
}

export interface BridgePort {
  /** Name of the bridge. */
  readonly bridge: string
  /** Whether a frame may leave by the port it came in by. Default false. */
  readonly hairpin: boolean
  /** Default true. */
  readonly learning: boolean
  /** Whether frames to unknown unicast addresses leave by it. Default true. */
  readonly flood: boolean
  /** Isolated ports do not reach each other. Default false. */
  readonly isolated: boolean
}

/** What `ip link add` takes. What is left out, the kernel chooses. */
export type LinkSpec = VethSpec | BridgeSpec | VxlanSpec

interface LinkWishes {
  readonly name: string
  readonly mac?: Mac
  readonly mtu?: number
  /** Default false. */
  readonly up?: boolean
  readonly alias?: string
  /** Name of the bridge to become a port of. */
  readonly bridge?: string
}

export interface VethSpec extends LinkWishes {
  readonly kind: 'veth'
  /**
   * The other end. With `netns` it is created straight in that namespace, which is some twenty times
   * faster on Linux than moving it there. It starts down (the kernel refuses to start it up there).
   */
  readonly peer: { readonly name: string; readonly netns?: Netns; readonly mac?: Mac; readonly mtu?: number }
}

export interface BridgeSpec extends LinkWishes {
  readonly kind: 'bridge'
  /** Seconds. Default 300. */
  readonly ageing?: number
}

export interface VxlanSpec extends LinkWishes {
  readonly kind: 'vxlan'
  /** 0 to 2^24-1. */
  readonly vni: number
  /** Default 8472, Linux' own; 4789 is IANA's. */
  readonly udpPort?: number
  readonly local?: Ip
  readonly underlay?: string
  /** Default true. */
  readonly learning?: boolean
}

/** What `ip link set` can change. Fields left out stay as they are. */
export interface LinkChange {
  readonly up?: boolean
  readonly mtu?: number
  readonly mac?: Mac
  readonly alias?: string
  /** A new name. EEXIST where it is taken. */
  readonly name?: string
  /** The bridge to become a port of; null leaves the one it is in. */
  readonly bridge?: string | null
  readonly port?: Partial<Omit<BridgePort, 'bridge'>>
  /** Moves the link there. It arrives down and without addresses. */
  readonly netns?: Netns
}
