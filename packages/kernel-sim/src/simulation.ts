import type { Hop } from '@podfabric/trace'
import { EventEmitter } from 'eventemitter3'
import type { VirtualClock } from './clock.ts'
import { allocatePacket, type Packet } from './packet.ts'
import type { Random } from './random.ts'
import { WorkQueue } from './work-queue.ts'

/** Events that observers may miss. */
export interface NetworkEvents {
  hop: [hop: Hop]
}

/** What is told to the log: an observer that threw. */
export interface SimulationLog {
  error(message: string, cause: unknown): void
}

/** What all nodes of one simulated network share. */
export class Simulation {
  readonly clock: VirtualClock
  readonly random: Random
  readonly queue = new WorkQueue()
  /** Whether anybody listens for hops: where not, none is made. */
  tracing = false
  readonly #log: SimulationLog
  readonly #events = new EventEmitter<NetworkEvents>()
  #packets = 0
  #hops = 0
  #inodes = 4_026_532_000

  constructor(clock: VirtualClock, random: Random, log: SimulationLog) {
    this.clock = clock
    this.random = random
    this.#log = log
  }

  /** A new packet with its own name. */
  packet(length: number): Packet {
    return allocatePacket(++this.#packets, length)
  }

  nextPacketId(): number {
    return ++this.#packets
  }

  nextInode(): number {
    return ++this.#inodes
  }

  /** A whole number from 0 to `below - 1`. */
  randomBelow(below: number): number {
    return Math.floor(this.random() * below)
  }

  /** Calls back later, and then works off what the callback set in motion. */
  after(delay: number, callback: () => void, options?: { readonly background?: boolean }): Disposable {
    return this.clock.after(
      delay,
      () => {
        callback()
        this.run()
      },
      options,
    )
  }

  /** Works until nothing moves. Every call from outside ends with it. */
  run(): void {
    this.clock.touch()
    this.queue.run()
  }

  onHop(listener: (hop: Hop) => void): Disposable {
    const heard = (hop: Hop): void => {
      try {
        listener(hop)
      } catch (error) {
        this.#log.error('a listener for hops threw', error)
      }
    }
    this.#events.on('hop', heard)
    this.tracing = true
    return {
      [Symbol.dispose]: () => {
        this.#events.off('hop', heard)
        this.tracing = this.#events.listenerCount('hop') > 0
      },
    }
  }

  emit(hop: Omit<Hop, 'sequence' | 'at'>): void {
    this.#events.emit('hop', { ...hop, sequence: this.#hops++, at: this.clock.now() })
  }
}
