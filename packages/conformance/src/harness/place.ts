import type { Namespace, Netns } from '@podfabric/kernel'

/** One network namespace in hand. */
export interface Place {
  /** For messages: `node-1`, `pod c1`. */
  readonly name: string
  readonly netns: Netns
  readonly at: Namespace
}

/** A sandbox on a node, without any attachment yet; `lo` is up in it. */
export interface Pod extends Place {
  readonly node: string
  /** CNI_CONTAINERID. */
  readonly containerId: string
  /** CNI_NETNS. */
  readonly path: string
}
