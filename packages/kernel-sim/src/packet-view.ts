import {
  ipProtocols,
  ipv4FragmentOffsetAt,
  ipv4HeaderLengthAt,
  ipv4ProtocolAt,
  ipv4TotalLengthAt,
  ipv6PayloadLengthAt,
  u16At,
} from '@podfabric/wire'

const NONE = new Uint8Array(0)

/** Where the parts of an IP packet are. One object looks at many packets, one after the other. */
export class PacketView {
  bytes: Uint8Array = NONE
  /** Where the IP header begins. */
  offset = 0
  /** Behind the last octet that is there. */
  end = 0
  family: 4 | 6 = 4
  /** Of the transport header: behind IPv6 extension headers. -1 where they lead nowhere. */
  protocol = -1
  /** Where the transport header begins; -1 in all fragments but the first. */
  transport = -1

  /** Looks at the packet at `bytes[offset, limit)`. False where no whole IP header is there. */
  read(bytes: Uint8Array, offset: number, limit: number, family: 4 | 6): boolean {
    this.bytes = bytes
    this.offset = offset
    this.family = family
    return family === 4 ? this.#readIpv4(limit) : this.#readIpv6(limit)
  }

  #readIpv4(limit: number): boolean {
    const { bytes, offset } = this
    if (offset + 20 > limit || (bytes[offset] as number) >>> 4 !== 4) return false
    const header = ipv4HeaderLengthAt(bytes, offset)
    if (header < 20 || offset + header > limit) return false
    this.end = Math.min(limit, offset + ipv4TotalLengthAt(bytes, offset))
    this.protocol = ipv4ProtocolAt(bytes, offset)
    this.transport = ipv4FragmentOffsetAt(bytes, offset) === 0 ? offset + header : -1
    return true
  }

  #readIpv6(limit: number): boolean {
    const { bytes, offset } = this
    if (offset + 40 > limit || (bytes[offset] as number) >>> 4 !== 6) return false
    this.end = Math.min(limit, offset + 40 + ipv6PayloadLengthAt(bytes, offset))
    let protocol = bytes[offset + 6] as number
    let at = offset + 40
    let first = true
    while (isExtension(protocol)) {
      if (at + 8 > this.end) {
        this.protocol = -1
        this.transport = -1
        return true
      }
      if (protocol === ipProtocols.fragment) first = (u16At(bytes, at + 2) & 0xfff8) === 0
      const length = protocol === ipProtocols.fragment ? 8 : ((bytes[at + 1] as number) + 1) * 8
      protocol = bytes[at] as number
      at += length
      if (!first) break
    }
    this.protocol = protocol
    this.transport = first ? at : -1
    return true
  }

  /** Whether the first `octets` of a transport header of this protocol are there. */
  hasTransport(protocol: number, octets: number): boolean {
    return this.protocol === protocol && this.transport >= 0 && this.transport + octets <= this.end
  }

  /** Where the source address is. */
  get source(): number {
    return this.offset + (this.family === 4 ? 12 : 8)
  }

  /** Where the destination address is. */
  get destination(): number {
    return this.offset + (this.family === 4 ? 16 : 24)
  }
}

function isExtension(protocol: number): boolean {
  return (
    protocol === ipProtocols.hopByHop ||
    protocol === ipProtocols.routing ||
    protocol === ipProtocols.fragment ||
    protocol === ipProtocols.destinationOptions
  )
}
