import type { Log } from '@podfabric/cni'
import type { Clock, Kernel } from '@podfabric/kernel'
import type { Pod } from '@podfabric/kube'
import { type Ip, isIp } from '@podfabric/netaddr'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isTerminating } from './owned.ts'
import { graceLeft } from './pod-deletion.ts'
import type { PodNetwork } from './pod-network.ts'
import { type PodRun, runPod } from './pod-run.ts'
import type { Sandbox } from './sandbox.ts'
import type { WorkloadFactory } from './workload.ts'

export interface KubeletOptions {
  readonly node: string
  readonly kernel: Kernel
  readonly network: PodNetwork
  readonly table: ObjectTable
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** What runs in a container, by its image. */
  readonly workloadFor: (image: string | undefined) => WorkloadFactory
  /** Called now and again while the node lives. */
  readonly heartbeat: { readonly every: number; readonly beat: () => void }
}

/** The node's half of the cluster: runs the pods that are placed on it. */
export interface Kubelet {
  /** The sandbox of a pod that has one. */
  sandbox(pod: Pod): Sandbox | undefined
  /** Ends all its pods at once and lets their network go. Ends all, then throws what could not be given back. */
  stop(): Promise<void>
  /** As when the power fails: no more signs of life; programs end, and nothing is cleaned up. */
  crash(): void
}

/** Starts at once: pods placed on the node are run, pods that are deleted are ended. */
export function kubelet(options: KubeletOptions): Kubelet {
  const { node, table, clock, heartbeat } = options
  const runs = new Map<string, PodRun>()
  let beat: Disposable | undefined

  function look(pod: Pod) {
    const { uid, name, namespace } = pod.metadata
    if (pod.spec.nodeName !== node || uid === undefined) return
    const run = runs.get(uid)
    if (run && isTerminating(pod)) run.end(graceLeft(pod, clock.now()))
    else if (!run && isTerminating(pod)) table.remove('Pod', name, namespace)
    else if (!run && !isFinished(pod)) runs.set(uid, begin(pod, uid))
  }

  function begin(pod: Pod, uid: string): PodRun {
    const nodeAddresses = addressesOf(node, table)
    return runPod(pod, { ...options, nodeAddresses, onGone: () => void runs.delete(uid) })
  }

  function liveOn() {
    heartbeat.beat()
    beat = clock.after(heartbeat.every, liveOn, { background: true })
  }

  const watch = table.watch((change) => {
    if (change.type === 'put' && change.object.kind === 'Pod') look(change.object)
    if (change.type === 'delete') runs.get(change.previous.metadata.uid ?? '')?.end(0)
  })

  function leave() {
    watch[Symbol.dispose]()
    beat?.[Symbol.dispose]()
  }

  liveOn()
  for (const pod of table.list('Pod')) look(pod)

  return {
    sandbox: (pod) => runs.get(pod.metadata.uid ?? '')?.sandbox,
    async stop() {
      leave()
      const outcomes = await Promise.allSettled([...runs.values()].map((run) => run.stop()))
      const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      if (errors.length > 0) throw new AggregateError(errors, `node ${node}: not every pod ended wholly`)
    },
    crash() {
      leave()
      for (const run of runs.values()) run.abandon()
      runs.clear()
    },
  }
}

function addressesOf(node: string, table: ObjectTable): readonly Ip[] {
  const addresses = table.get('Node', node)?.status?.addresses ?? []
  return addresses.flatMap(({ type, address }) => (type === 'InternalIP' && isIp(address) ? [address] : []))
}
