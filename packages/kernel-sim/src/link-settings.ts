/** net.ipv4.conf.<link>.*: the values of a new namespace. */
const IPV4 = {
  accept_local: 0,
  accept_redirects: 1,
  arp_accept: 0,
  arp_announce: 0,
  arp_filter: 0,
  arp_ignore: 0,
  arp_notify: 0,
  disable_policy: 0,
  disable_xfrm: 0,
  forwarding: 0,
  log_martians: 0,
  promote_secondaries: 0,
  proxy_arp: 0,
  route_localnet: 0,
  rp_filter: 0,
  secure_redirects: 1,
  send_redirects: 1,
  shared_media: 1,
  src_valid_mark: 0,
}

/** net.ipv6.conf.<link>.* */
const IPV6 = {
  accept_dad: 1,
  accept_ra: 1,
  accept_redirects: 1,
  addr_gen_mode: 0,
  autoconf: 1,
  dad_transmits: 1,
  disable_ipv6: 0,
  forwarding: 0,
  hop_limit: 64,
  keep_addr_on_down: 0,
  proxy_ndp: 0,
  use_tempaddr: 0,
}

/**
 * net.ipv4.neigh.<link>.*: how often everybody or the neighbor itself is asked, in hundredths of a second how long an
 * answer for others waits, and in milliseconds how long one that was asked may take.
 */
const NEIGHBOR = { mcast_solicit: 3, ucast_solicit: 3, proxy_delay: 80, retrans_time_ms: 1000 }

export type Ipv4Key = keyof typeof IPV4
export type Ipv6Key = keyof typeof IPV6

/** The settings of one link, or of `all` or `default`. Never changed in place. */
export interface LinkSettings {
  readonly ipv4: Readonly<Record<Ipv4Key, number>>
  readonly ipv6: Readonly<Record<Ipv6Key, number>>
  readonly neigh4: Readonly<typeof NEIGHBOR>
  readonly neigh6: Readonly<typeof NEIGHBOR>
}

export const DEFAULT_SETTINGS: LinkSettings = { ipv4: IPV4, ipv6: IPV6, neigh4: NEIGHBOR, neigh6: NEIGHBOR }

/** `all` differs from `default` in what would otherwise apply twice. */
export const ALL_SETTINGS: LinkSettings = { ...DEFAULT_SETTINGS, ipv6: { ...IPV6, accept_dad: 0 } }
