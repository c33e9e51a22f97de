import { type Codec, WireError } from '@podfabric/wire'

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |R|R|R|R|I|R|R|R|            Reserved                           |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// |                VXLAN Network Identifier (VNI) |   Reserved    |
// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
// RFC 7348 section 5. Reserved bits are zero when written and ignored when read.

/** A VXLAN header. An Ethernet frame follows it. */
export interface Vxlan {
  /** VXLAN network identifier, 0 to 2^24-1. */
  readonly vni: number
}

/** UDP destination port that IANA gave VXLAN. */
export const VXLAN_PORT = 4789

/** UDP destination port that Linux uses unless told otherwise, and with it Flannel and Cilium. */
export const VXLAN_PORT_LINUX = 8472

/** Octets of a VXLAN header. */
export const VXLAN_LENGTH = 8

/** The first 32 bits: the I flag, which says that the VNI is valid. */
export const VXLAN_FLAGS_WORD = 0x0800_0000

/** RFC 7348. VXLAN has no checksum of its own. A header whose I flag is clear is WIRE_MALFORMED. */
export const vxlan: Codec<Vxlan> = {
  name: 'vxlan',

  encodingLength: () => VXLAN_LENGTH,

  encode({ vni }, packet) {
    if (!Number.isInteger(vni) || vni < 0 || vni > 0xff_ffff) {
      throw new RangeError(`vxlan: vni ${vni} is not a whole number of 24 bits`)
    }
    if (packet.length < VXLAN_LENGTH) {
      throw new RangeError(`vxlan: the header takes ${VXLAN_LENGTH} octets, the buffer has ${packet.length}`)
    }
    packet.set([0x08, 0, 0, 0, vni >>> 16, (vni >>> 8) & 0xff, vni & 0xff, 0])
  },

  decode(packet) {
    if (packet.length < VXLAN_LENGTH) {
      const reason = `${VXLAN_LENGTH} octets needed, ${packet.length} there`
      throw new WireError('WIRE_TRUNCATED', 'vxlan', packet.length, reason)
    }
    const [flags = 0, , , , high = 0, middle = 0, low = 0] = packet
    if ((flags & 0x08) === 0) {
      throw new WireError('WIRE_MALFORMED', 'vxlan', 0, 'the I flag is clear, so there is no valid VNI')
    }
    return { header: { vni: (high << 16) | (middle << 8) | low }, payload: packet.subarray(VXLAN_LENGTH) }
  },
}
