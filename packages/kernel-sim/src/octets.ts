/** 32 bits in network order, signed: a small integer for maps and comparisons, where `u32At` may be a boxed double. */
export function i32At(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

/** Whether the sixteen octets at `a` and at `b` are the same. */
export function same16(a: Uint8Array, atA: number, b: Uint8Array, atB: number): boolean {
  for (let i = 0; i < 16; i++) if (a[atA + i] !== b[atB + i]) return false
  return true
}

/** Whether the checksum of the IPv4 header at `at`, of `length` octets, is right. */
export function ipv4HeaderHolds(bytes: Uint8Array, at: number, length: number): boolean {
  let sum = 0
  for (let i = at; i < at + length; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] as number)
  sum = (sum & 0xffff) + (sum >>> 16)
  return sum === 0xffff || (sum & 0xffff) + (sum >>> 16) === 0xffff
}
