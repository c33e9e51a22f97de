import type { Namespace } from './namespace.ts'
import type { Netns, NetnsTable } from './netns.ts'

/**
 * The network part of a kernel, as one node has it. Two implementations hold the same contract tests
 * (`@podfabric/kernel/testing`): the simulated kernel and Linux. Code over it never asks which one it is.
 */
export interface Kernel {
  readonly netns: NetnsTable
  /** A handle on a namespace. It keeps the namespace alive by itself; the reference may be disposed. */
  in(netns: Netns): Namespace
}
