import type { RunningPod } from '@podfabric/cluster'
import { type Lab, runningPods } from '../lab/lab.ts'
import { podLabel } from '../lab/pod-name.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

/** A node joins, a workload grows onto it, and every pod reaches the new ones. */
export const joiningNode: Proof = {
  claim: 'A node that joins brings its pods into the same flat network.',
  async run(lab) {
    const [deployment] = lab.cluster.objects.list('Deployment')
    if (!deployment) return notShown('no deployment could put pods on a new node')
    const node = await lab.addNode()
    await lab.cluster.settled()
    const { name, namespace } = deployment.metadata
    lab.cluster.scale({ kind: 'Deployment', name, namespace }, deployment.spec.replicas + 3)
    await lab.cluster.settled()
    const there = runningPods(lab).filter((pod) => pod.node === node)
    const reach = await reachAll(lab, there)
    lab.cluster.scale({ kind: 'Deployment', name, namespace }, deployment.spec.replicas)
    await lab.cluster.settled()
    const seen = [
      `${node} joins; ${there.length} pods start on it: ${there.map((pod) => `${podLabel(pod)} ${pod.sandbox.addresses[0]}`).join(', ')}`,
      ...reach.seen,
    ]
    return holdsWhen(there.length > 0 && reach.lost === 0, seen)
  },
}

/** A node loses its power; its pods come back on the others. */
export const dyingNode: Proof = {
  claim: 'When a node dies, its pods come back elsewhere and are reachable there.',
  async run(lab) {
    const managed = runningPods(lab).filter(({ pod }) => pod.metadata.ownerReferences.length > 0)
    const [victim] = managed
    if (!victim || lab.cluster.nodes().length < 2)
      return notShown('no node has pods that anybody would replace')
    const { node } = victim
    const lost = managed.filter((pod) => pod.node === node).length
    const alone = runningPods(lab).filter(
      (pod) => pod.node === node && pod.pod.metadata.ownerReferences.length === 0,
    )
    const before = lab.clock.now()
    await lab.failNode(node)
    await lab.cluster.settled()
    const seconds = Math.round((lab.clock.now() - before) / 1000)
    const now = runningPods(lab)
    const reach = await reachAll(lab, now)
    const seen = [
      `${node} dies with ${lost} pods that something manages; ${seconds} s later they run elsewhere`,
      ...(alone.length > 0
        ? [
            `${alone.map(podLabel).join(', ')}: a pod that nothing manages does not come back, as in Kubernetes`,
          ]
        : []),
      ...reach.seen,
    ]
    const back = now.filter(({ pod }) => pod.metadata.ownerReferences.length > 0).length
    return holdsWhen(
      back === managed.length && now.every((pod) => pod.node !== node) && reach.lost === 0,
      seen,
    )
  },
}

/** Every pod pings every one of the targets. */
async function reachAll(lab: Lab, targets: readonly RunningPod[]) {
  const lost: string[] = []
  let sent = 0
  for (const from of runningPods(lab)) {
    for (const to of targets) {
      const [destination] = to.sandbox.addresses
      if (destination === undefined || destination === from.sandbox.addresses[0]) continue
      sent++
      const { kind } = await from.namespace.sockets.echo({ destination })
      if (kind !== 'reply') lost.push(`${podLabel(from)} does not reach ${podLabel(to)}: ${kind}`)
    }
  }
  return {
    lost: lost.length,
    seen: [`${sent} pings to them, ${sent - lost.length} replies`, ...lost.slice(0, 3)],
  }
}
