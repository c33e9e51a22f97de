const LIMITS = Float64Array.from({ length: 54 }, (_, bits) => 2 ** bits)

/** `RangeError` unless `value` is a whole number of at most `bits` bits; returns it. */
export function field(protocol: string, name: string, value: number, bits: number): number {
  if (value >= 0 && value < (LIMITS[bits] as number) && Number.isInteger(value)) return value
  throw new RangeError(`${protocol}: ${name} ${value} is not a whole number of ${bits} bits`)
}

/** A view for reading and writing 16- and 32-bit fields in network order. */
export function viewOf(packet: Uint8Array): DataView {
  return new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
}

/** `RangeError` unless the caller left room for the header. */
export function needRoom(protocol: string, packet: Uint8Array, length: number): void {
  if (packet.length >= length) return
  throw new RangeError(`${protocol}: the header takes ${length} octets, the buffer has ${packet.length}`)
}
