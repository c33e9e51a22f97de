/**
 * Why octets were refused. `WIRE_TRUNCATED`: the packet ends before the header, or before the length it
 * declares. `WIRE_MALFORMED`: a field contradicts the protocol. `WIRE_UNSUPPORTED`: well formed as far as
 * known, but of a version or kind that has no codec here. `WIRE_CHECKSUM`: the octets were damaged.
 */
export type WireErrorCode = 'WIRE_TRUNCATED' | 'WIRE_MALFORMED' | 'WIRE_UNSUPPORTED' | 'WIRE_CHECKSUM'

/** Octets that are not what a codec reads. Callers compare `code`. */
export class WireError extends Error {
  override readonly name = 'WireError'
  readonly code: WireErrorCode
  /** The codec's name: `ipv4`, `pcapng`. */
  readonly protocol: string
  /** Where, in octets from the start of what the codec was given. */
  readonly offset: number

  constructor(code: WireErrorCode, protocol: string, offset: number, reason: string, options?: ErrorOptions) {
    super(`${protocol} at octet ${offset}: ${reason}`, options)
    this.code = code
    this.protocol = protocol
    this.offset = offset
  }
}

/** Throws `WIRE_TRUNCATED` unless `packet` has `needed` octets. */
export function needOctets(protocol: string, packet: Uint8Array, needed: number): void {
  if (packet.length >= needed) return
  throw new WireError(
    'WIRE_TRUNCATED',
    protocol,
    packet.length,
    `${needed} octets needed, ${packet.length} there`,
  )
}
