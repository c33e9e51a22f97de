/** What a packet carries of connection tracking. */
export interface ConntrackReference {
  readonly state: ConntrackState
}

/** As `ct state` in nft(8). */
export type ConntrackState = 'new' | 'established' | 'related' | 'invalid' | 'untracked'
