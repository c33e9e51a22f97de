import type { Ip, Prefix } from '@podfabric/netaddr'

/**
 * `ip route`: one entry of a routing table. The family is the destination's.
 * `list` gives the rows that the kernel makes itself too: table `local`, connected prefixes
 * (`protocol` kernel), IPv6 link-local and multicast.
 */
export interface Route {
  /** `0.0.0.0/0` or `::/0` is the default route. */
  readonly destination: Prefix
  /** Default `unicast`. */
  readonly type?: RouteType
  readonly gateway?: Ip
  /** Name of the link that packets leave by. Not for the types that drop. */
  readonly link?: string
  /** Preferred source address of packets that start here. */
  readonly source?: Ip
  /** Lower wins. Default 0 for IPv4, 1024 for IPv6. */
  readonly metric?: number
  /** Default 254, `main`. 255 is `local`. */
  readonly table?: number
  /** Default as iproute2: `link` without gateway, `host` for local, else `global`. IPv4 only. */
  readonly scope?: 'global' | 'link' | 'host' | 'nowhere'
  /** Takes the gateway as directly reachable on the link, whatever the tables say. Default false. */
  readonly onlink?: boolean
  /** Path MTU towards the destination, in octets. */
  readonly mtu?: number
  readonly advmss?: number
  /** Who made it: 2 the kernel, 3 boot, 4 static; ours is `ownership.routeProtocol`. Default 3. */
  readonly protocol?: number
}

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'multicast'
  | 'anycast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'

/** Which route to delete: the first that has all the given fields. */
export type RouteKey = Pick<Route, 'destination'> & Partial<Omit<Route, 'destination'>>

/** `ip route get`: what the kernel would do with a packet. */
export interface RouteQuery {
  readonly destination: Ip
  readonly source?: Ip
  /** Name of the link it came in by: asks for forwarding instead of sending. */
  readonly input?: string
  /** Firewall mark. Default 0. */
  readonly mark?: number
}

export interface RouteAnswer {
  readonly type: RouteType
  readonly link: string
  readonly gateway?: Ip
  /** The address that a packet sent from here would carry. */
  readonly source?: Ip
  readonly table: number
  /** Octets; what a packet to there may be at most. */
  readonly mtu: number
}

/** `ip rule`: which table is asked, in order of priority. */
export interface Rule {
  readonly family: 4 | 6
  /** 0 to 32767; lower is asked first. */
  readonly priority: number
  readonly from?: Prefix
  readonly to?: Prefix
  readonly mark?: { readonly value: number; readonly mask: number }
  /** Name of the link it came in by. */
  readonly input?: string
  /** Name of the link that a socket is bound to. */
  readonly output?: string
  /** Default false. */
  readonly invert?: boolean
  readonly action: { readonly lookup: number } | 'blackhole' | 'unreachable' | 'prohibit'
  readonly protocol?: number
}
