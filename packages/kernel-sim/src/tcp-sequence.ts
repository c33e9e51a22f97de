// Arithmetic of TCP's sequence numbers, modulo 2^32 (RFC 9293 section 3.4). All are unsigned 32-bit numbers.

export function sequenceAdd(sequence: number, octets: number): number {
  return (sequence + octets) >>> 0
}

/** How far `to` is behind `from` in the stream; meaningful where `to` does not precede `from`. */
export function sequenceDistance(from: number, to: number): number {
  return (to - from) >>> 0
}

/** Whether `a` precedes `b`. */
export function sequenceBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}

/** The later of the two. */
export function sequenceMax(a: number, b: number): number {
  return sequenceBefore(a, b) ? b : a
}
