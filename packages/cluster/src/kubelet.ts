import type { Log } from '@podfabric/cni'
import type { Clock, Kernel } from '@podfabric/kernel'
import type { Pod } from '@podfabric/kube'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isTerminating } from './owned.ts'
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
  /** What runs in a container, by its image; `undefined` for a container that only answers. */
  readonly workloadFor: (image: string | undefined) => WorkloadFactory
  /** Called now and again while the node lives. */
  readonly heartbeat: { readonly every: number; readonly beat: () => void }
}

/** The node's half of the cluster: runs the pods that are placed on it. */
export interface Kubelet {
  /** The sandbox of a pod that has one. */
  sandbox(pod: Pod): Sandbox | undefined
  /** Ends all its pods at once and lets their network go. */
  stop(): Promise<void>
  /** As when the power fails: no more signs of life, nothing is cleaned up, and what its pods held is simply gone. */
  crash(): void
}

/** Starts at once: pods placed on the node are run, pods that are deleted are ended. */
export function kubelet(options: KubeletOptions): Kubelet {
  const { node, table, clock, heartbeat } = options
  const runs = new Map<string, PodRun>()
  let beat: Disposable | undefined

  function look(pod: Pod) {
    const { uid } = pod.metadata
    if (pod.spec.nodeName !== node || uid === undefined) return
    const run = runs.get(uid)
    if (run && isTerminating(pod)) run.end(pod.spec.terminationGracePeriodSeconds * 1000)
    else if (!run && isTerminating(pod)) table.remove('Pod', pod.metadata.name, pod.metadata.namespace)
    else if (!run && !isFinished(pod))
      runs.set(uid, runPod(pod, { ...options, onGone: () => void runs.delete(uid) }))
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
      await Promise.all([...runs.values()].map((run) => run.end(0)))
    },
    crash() {
      leave()
      for (const run of runs.values()) run.abandon()
      runs.clear()
    },
  }
}
