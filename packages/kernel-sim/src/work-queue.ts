import type { Packet } from './packet.ts'

/** What takes packets that arrive: a link's receiving side. */
export interface Receiver {
  receive(packet: Packet): void
}

/** More packets than this under way at once are a storm that nothing will end. */
const LIMIT = 1 << 16

/**
 * Packets that have arrived somewhere and wait to be looked at, in order of arrival: a ring that is worked off
 * until it is empty. Not entered again while it runs.
 */
export class WorkQueue {
  #receivers: (Receiver | undefined)[] = new Array(1024).fill(undefined)
  #packets: (Packet | undefined)[] = new Array(1024).fill(undefined)
  #head = 0
  #size = 0
  #running = false

  /** False where there are too many already; the packet is then not taken. */
  push(receiver: Receiver, packet: Packet): boolean {
    if (this.#size === this.#packets.length && !this.#grow()) return false
    const slot = (this.#head + this.#size++) & (this.#packets.length - 1)
    this.#receivers[slot] = receiver
    this.#packets[slot] = packet
    return true
  }

  /** Works until nothing is left. */
  run(): void {
    if (this.#running) return
    this.#running = true
    try {
      while (this.#size > 0) {
        const slot = this.#head
        const receiver = this.#receivers[slot] as Receiver
        const packet = this.#packets[slot] as Packet
        this.#packets[slot] = undefined
        this.#receivers[slot] = undefined
        this.#head = (slot + 1) & (this.#packets.length - 1)
        this.#size--
        receiver.receive(packet)
      }
    } finally {
      this.#running = false
    }
  }

  #grow(): boolean {
    const { length } = this.#packets
    if (length >= LIMIT) return false
    const turn = <T>(ring: T[]): T[] => [...ring.slice(this.#head), ...ring.slice(0, this.#head)]
    this.#receivers = [...turn(this.#receivers), ...new Array<undefined>(length).fill(undefined)]
    this.#packets = [...turn(this.#packets), ...new Array<undefined>(length).fill(undefined)]
    this.#head = 0
    return true
  }
}
