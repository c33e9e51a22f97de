import type { Log } from '@podfabric/cni'
import type { Clock } from '@podfabric/kernel'
import type { Prefix } from '@podfabric/netaddr'
import { dnsPods } from './cluster-dns.ts'
import { type ControlLoop, controlLoop } from './control-loop.ts'
import { deploymentController } from './deployment-controller.ts'
import { endpointController } from './endpoint-controller.ts'
import { garbageCollector } from './garbage-collector.ts'
import type { ObjectTable } from './object-table.ts'
import { replicaSetController } from './replica-set-controller.ts'
import { scheduler } from './scheduler.ts'
import { serviceAddressController } from './service-address-controller.ts'
import { statefulSetController } from './stateful-set-controller.ts'

export interface ControlPlaneOptions {
  readonly table: ObjectTable
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** One range of each family that services have addresses of. */
  readonly serviceRanges: readonly Prefix[]
}

/** Everything that works on objects alone: rollouts, replicas, placement, service addresses, endpoints, clean-up. */
export function controlPlane({ table, clock, random, log, serviceRanges }: ControlPlaneOptions): ControlLoop {
  const now = () => clock.now()
  const parts = [
    garbageCollector(table, now),
    dnsPods(table),
    statefulSetController({ table, now }),
    // Before the Deployments, which decide by what the ReplicaSets say of their pods.
    replicaSetController({ table, random, now }),
    deploymentController(table),
    scheduler(table, now),
    serviceAddressController(table, serviceRanges),
    endpointController(table),
  ]
  return controlLoop(table, parts, { clock, log })
}
