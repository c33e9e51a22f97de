import { tcpFlags } from '@podfabric/wire'
import { type Direction, ORIGINAL } from './conntrack-entry.ts'

// The states of a TCP connection that somebody watches from the side, as conntrack(8) names them. Sequence numbers
// are not looked at.

export const tcpStates = {
  none: 0,
  synSent: 1,
  synReceived: 2,
  established: 3,
  finWait: 4,
  closeWait: 5,
  lastAck: 6,
  timeWait: 7,
  close: 8,
  /** Both sides sent a SYN. */
  synSent2: 9,
} as const

/** The packet has no place in this state. */
export const INVALID = -1

/** Milliseconds that a connection is remembered without a packet, by state. */
const timeouts = [0, 120, 60, 432_000, 120, 60, 30, 120, 10, 120].map((seconds) => seconds * 1000)

export function tcpTimeout(state: number): number {
  return timeouts[state] ?? 0
}

// One line for each kind of segment; columns are the states from none to synSent2. `!` invalid, `.` no change.
const original = table([
  '1 1 . . . . . 1 1 9',
  '! ! 2 ! ! ! ! ! ! 2',
  '! ! 4 4 6 6 6 7 8 !',
  '3 ! 3 3 5 5 7 7 8 !',
  '! 8 8 8 8 8 8 8 8 8',
])
const reply = table([
  '! 9 ! ! ! ! ! 1 ! 9',
  '! 2 . . . . . . . 2',
  '! ! 4 4 6 6 6 7 8 !',
  '! . 2 3 5 5 7 7 8 .',
  '! 8 8 8 8 8 8 8 8 8',
])

function table(lines: readonly string[]): readonly (readonly number[])[] {
  return lines.map((line) =>
    line.split(' ').map((cell, state) => (cell === '!' ? INVALID : cell === '.' ? state : Number(cell))),
  )
}

/** The state after a segment with these flags, or INVALID. */
export function nextTcpState(state: number, direction: Direction, flags: number): number {
  const kind = kindOf(flags)
  if (kind < 0) return INVALID
  return (direction === ORIGINAL ? original : reply)[kind]?.[state] ?? INVALID
}

function kindOf(flags: number): number {
  const { syn, ack, fin, rst } = tcpFlags
  if ((flags & rst) !== 0) return (flags & (syn | fin)) === 0 ? 4 : INVALID
  if ((flags & syn) !== 0) return (flags & fin) !== 0 ? INVALID : (flags & ack) !== 0 ? 1 : 0
  if ((flags & ack) === 0) return INVALID
  return (flags & fin) !== 0 ? 2 : 3
}
