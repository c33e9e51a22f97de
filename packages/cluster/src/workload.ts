import type { Log } from '@podfabric/cni'
import type { Clock, Sockets } from '@podfabric/kernel'
import type { Container, Pod } from '@podfabric/kube'
import type { Ip } from '@podfabric/netaddr'

/** What runs in a container. */
export interface Workload {
  /** Ends it at once; its sockets are closed, and its connections reset. */
  stop(): Promise<void>
}

export interface WorkloadContext {
  readonly pod: Pod
  readonly container: Container
  /** The pod's own, at least one. */
  readonly addresses: readonly Ip[]
  /** The pod's: shared by all its containers. */
  readonly sockets: Sockets
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
}

/** Starts a container; resolves when it serves. Rejects when it cannot, with EADDRINUSE where two want one port. */
export type WorkloadFactory = (context: WorkloadContext) => Promise<Workload>
