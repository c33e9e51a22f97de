import type { Clock, Kernel } from '@podfabric/kernel'

/** Kernels to test on: as many nodes as a case needs, joined by one underlay. Made for one case, and thrown away behind it. */
export interface World {
  /** The time that the kernels' sockets and timers go by. */
  readonly clock: Clock
  /**
   * Called once. Node `i`, counted from 1, is a kernel whose host namespace has `lo` up and an `eth0`, up, MTU 1500, with
   * 192.168.50.`i`/24 and fd50::`i`/64, all on one Ethernet segment; nothing else, forwarding off, no firewall.
   */
  nodes(count: number): Promise<readonly Kernel[]>
  /** Keeps virtual time from running on while something outside the process works. Does nothing on real time. */
  hold(): Disposable
  /** Removes everything that was made in it, whatever a case left behind. */
  close(): Promise<void>
}

/** Makes a world; the same seed makes the same one. */
export type WorldOf = (seed: number) => Promise<World>
