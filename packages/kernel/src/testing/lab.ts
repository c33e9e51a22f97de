import type { Clock } from '../clock.ts'
import type { Kernel } from '../kernel.ts'

/** What a kernel may lack; everything else in the contract it has. */
export type Feature = 'nft' | 'conntrack'

/** Kernels to test on: as many nodes as a case needs, joined by one underlay. */
export interface Lab {
  /** The time that the kernels' sockets and timers go by. */
  readonly clock: Clock
  /**
   * Called once. Node `i`, counted from 1, is a kernel whose host namespace has `lo` up and an `eth0`, up,
   * MTU 1500, with 192.168.50.`i`/24 and fd50::`i`/64 (usable at once), all on one Ethernet segment; nothing
   * else, forwarding off, no firewall. At most 16.
   */
  nodes(count: number): Promise<readonly Kernel[]>
  /** Removes everything that was made in it, whatever a case left behind. */
  close(): Promise<void>
}

/** One tiny test as data. A runner skips it where `skip` says why, else awaits `run`. */
export interface ContractCase {
  /** A sentence about behaviour, unique in the suite. */
  readonly name: string
  readonly requires: readonly Feature[]
  /** Why it cannot run here. */
  readonly skip?: string
  /** Rejects when the kernel does otherwise. Opens its own lab and closes it. */
  run(): Promise<void>
}
