import { type Ip, ipToBytes, isV4 } from '@podfabric/netaddr'
import { foldChecksum, sumWords } from '@podfabric/wire'
import { VXLAN_FLAGS_WORD, VXLAN_LENGTH } from './vxlan.ts'

/** The outer headers towards one peer: IP, UDP and VXLAN, all but the length, identification and source port. */
export interface PreparedVxlan {
  /** Octets of the outer headers: 36 over IPv4, 56 over IPv6. */
  readonly length: number
  /**
   * Writes the outer headers into the `length` octets before `start`, in front of an inner frame of
   * `innerLength` octets that begins there. Nothing is allocated. The UDP checksum is zero, as RFC 7348
   * (IPv4) and RFC 6935 (IPv6) allow.
   *
   * @param sourcePort 0 to 65535, from a hash of the inner flow so that the underlay spreads flows
   * @param identification IPv4 only, 0 to 65535
   */
  write(
    packet: DataView,
    start: number,
    innerLength: number,
    sourcePort: number,
    identification: number,
  ): void
}

export interface VxlanPeer {
  readonly source: Ip
  /** Of the same family as `source`. */
  readonly destination: Ip
  readonly vni: number
  readonly udpPort: number
  /** Hop limit of the outer header. Default 64. */
  readonly ttl?: number
}

/** Prepares the headers towards a peer. `RangeError` where the families differ or a number has no place. */
export function prepareVxlan(peer: VxlanPeer): PreparedVxlan {
  const { source, destination, vni, udpPort, ttl = 64 } = peer
  if (isV4(source) !== isV4(destination)) {
    throw new RangeError(`vxlan: ${source} and ${destination} are not of one family`)
  }
  if (!(vni >= 0 && vni <= 0xff_ffff && Number.isInteger(vni))) throw new RangeError(`vxlan: vni ${vni}`)
  return isV4(source)
    ? overIpv4(source, destination, vni, udpPort, ttl)
    : overIpv6(source, destination, vni, udpPort, ttl)
}

const UDP_PROTOCOL = 17
const UDP_LENGTH = 8

function overIpv4(source: Ip, destination: Ip, vni: number, udpPort: number, ttl: number): PreparedVxlan {
  const length = 20 + UDP_LENGTH + VXLAN_LENGTH
  const template = new Uint8Array(20)
  template[0] = 0x45
  template[8] = ttl
  template[9] = UDP_PROTOCOL
  ipToBytes(source, template, 12)
  ipToBytes(destination, template, 16)
  const partialSum = sumWords(template, 0, 20)
  const view = new DataView(template.buffer)
  const ttlProtocol = view.getUint16(8)
  const sourceWord = view.getInt32(12)
  const destinationWord = view.getInt32(16)
  const vniWord = vni << 8
  return {
    length,
    write(packet, start, innerLength, sourcePort, identification) {
      const at = start - length
      const total = length + innerLength
      const checksum = foldChecksum(partialSum + total + identification)
      packet.setInt32(at, 0x4500_0000 | total)
      packet.setInt32(at + 4, identification << 16)
      packet.setInt32(at + 8, (ttlProtocol << 16) | checksum)
      packet.setInt32(at + 12, sourceWord)
      packet.setInt32(at + 16, destinationWord)
      packet.setInt32(at + 20, (sourcePort << 16) | udpPort)
      packet.setInt32(at + 24, (total - 20) << 16)
      packet.setInt32(at + 28, VXLAN_FLAGS_WORD)
      packet.setInt32(at + 32, vniWord)
    },
  }
}

function overIpv6(source: Ip, destination: Ip, vni: number, udpPort: number, ttl: number): PreparedVxlan {
  const length = 40 + UDP_LENGTH + VXLAN_LENGTH
  const addresses = new Uint8Array(32)
  ipToBytes(source, addresses, 0)
  ipToBytes(destination, addresses, 16)
  const view = new DataView(addresses.buffer)
  const words = Int32Array.from({ length: 8 }, (_, i) => view.getInt32(4 * i))
  const nextHeaderHopLimit = (UDP_PROTOCOL << 8) | ttl
  const vniWord = vni << 8
  return {
    length,
    write(packet, start, innerLength, sourcePort) {
      const at = start - length
      const payload = UDP_LENGTH + VXLAN_LENGTH + innerLength
      packet.setInt32(at, 0x6000_0000)
      packet.setInt32(at + 4, (payload << 16) | nextHeaderHopLimit)
      for (let i = 0; i < 8; i++) packet.setInt32(at + 8 + 4 * i, words[i] as number)
      packet.setInt32(at + 40, (sourcePort << 16) | udpPort)
      packet.setInt32(at + 44, payload << 16)
      packet.setInt32(at + 48, VXLAN_FLAGS_WORD)
      packet.setInt32(at + 52, vniWord)
    },
  }
}
