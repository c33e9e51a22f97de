import type { Connection } from './conntrack-connection.ts'

/** As `ct state` in nft(8). */
export type ConntrackState = 'new' | 'established' | 'related' | 'invalid' | 'untracked'

/** What a packet carries of connection tracking: its connection, which way it goes, and what it is there. */
export interface ConntrackReference {
  readonly state: ConntrackState
  /** As a bit of `ct state`. */
  readonly bit: number
  /** Undefined for invalid and untracked packets. */
  readonly connection: Connection | undefined
  readonly direction: Direction
}

export const ORIGINAL = 0
export const REPLY = 1
export type Direction = typeof ORIGINAL | typeof REPLY

export const UNTRACKED: ConntrackReference = {
  state: 'untracked',
  bit: 64,
  connection: undefined,
  direction: ORIGINAL,
}
