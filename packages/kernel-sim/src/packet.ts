import type { ConntrackReference } from './conntrack-entry.ts'
import type { Device } from './device.ts'
import type { NetfilterPacket } from './netfilter.ts'

/** Octets kept free before a new packet for the headers of lower layers: twice VXLAN over IPv6 and Ethernet fits. */
export const HEADROOM = 128

/**
 * One packet on its way: octets `bytes[start, end)` of a buffer that it may share with others, and the headroom
 * before them. Layers take their header off by moving `start` forward, and put one on by moving it back; nothing is
 * copied. Whoever is handed a packet owns it.
 */
export class Packet implements NetfilterPacket {
  bytes: Uint8Array
  /** First octet of the layer that has the packet now. */
  start: number
  /** Behind the last octet. */
  end: number
  /** Names the packet in hops. */
  id: number
  /** The packet that caused this one; 0 for none. */
  cause = 0
  /** Links that it crossed. */
  hops = 0
  /** Of the IP packet, set by the IP layer. */
  family: 4 | 6 = 4
  /** The link that the IP packet came in by; undefined for what starts here. */
  input: Device | undefined = undefined
  /** The rules of prerouting have seen it already, on a bridge. */
  prerouted = false
  /** Firewall mark. */
  mark = 0
  connection: ConntrackReference | undefined = undefined
  /** Whether it came to a group (broadcast or multicast) MAC address. */
  group = false
  /** Where the packet's own part of the buffer begins. */
  #floor: number
  #view: DataView | undefined

  constructor(bytes: Uint8Array, start: number, end: number, id: number, view?: DataView) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.id = id
    this.#floor = Math.max(0, start - HEADROOM)
    this.#view = view
  }

  get length(): number {
    return this.end - this.start
  }

  /** Where the IP header begins, while the IP layer has the packet. */
  get offset(): number {
    return this.start
  }

  /** A view over the whole buffer, for writers that want one. */
  get view(): DataView {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    return this.#view
  }

  /** Makes sure of `octets` free octets before `start`. */
  reserve(octets: number): void {
    if (this.start - this.#floor >= octets) return
    const start = HEADROOM + octets
    const bytes = new Uint8Array(start + this.length)
    bytes.set(this.bytes.subarray(this.start, this.end), start)
    this.end = start + this.length
    this.start = start
    this.bytes = bytes
    this.#floor = 0
    this.#view = undefined
  }

  /** A copy that goes its own way under the same name, with headroom of its own. */
  clone(): Packet {
    const copy = allocatePacket(this.id, this.length)
    copy.bytes.set(this.bytes.subarray(this.start, this.end), copy.start)
    copy.cause = this.cause
    copy.hops = this.hops
    copy.family = this.family
    copy.input = this.input
    copy.prerouted = this.prerouted
    copy.connection = this.connection
    copy.mark = this.mark
    copy.group = this.group
    return copy
  }

  /** Forgets what belonged to the link layer or connection it leaves; in another namespace the mark too. */
  scrub(crosses: boolean): void {
    if (crosses) this.mark = 0
    this.prerouted = false
    this.connection = undefined
  }

  /** A copy of the octets. */
  copy(): Uint8Array {
    return this.bytes.slice(this.start, this.end)
  }
}

/** Packets are cut from slabs, so that one costs no buffer of its own. A slab is freed with the last of its packets. */
const SLAB = 65_536
let slab = new Uint8Array(0)
let slabView = new DataView(slab.buffer)
let used = 0

/** A zeroed packet of `length` octets with headroom. */
export function allocatePacket(id: number, length: number): Packet {
  const size = HEADROOM + length
  if (size > SLAB >> 2) return new Packet(new Uint8Array(size), HEADROOM, size, id)
  if (used + size > slab.length) {
    slab = new Uint8Array(SLAB)
    slabView = new DataView(slab.buffer)
    used = 0
  }
  const start = used + HEADROOM
  used += size
  return new Packet(slab, start, start + length, id, slabView)
}
