import type { RunningPod } from '@podfabric/cluster'
import { sleep } from '@podfabric/kernel'
import { type Deployment, isHeadless, isReady, matchesLabels, type Service } from '@podfabric/kube'
import { type Lab, runningPods } from '../lab/lab.ts'
import { podLabel } from '../lab/pod-name.ts'
import { callWhile } from './calling-client.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

/** A headless service over a deployment, and somebody else who calls it. */
interface Scene {
  readonly service: Service
  readonly deployment: Deployment
  readonly client: RunningPod
  /** The full name. */
  readonly name: string
  readonly port: number
}

/**
 * Milliseconds after each step: longer than the 5 s that answers may be kept, so that old ones are used up, and no multiple of it, so
 * that the next step finds the client with an answer in hand.
 */
const between = 12_500

/** Before, while and after scaling and rolling over, the name stands for the pods that are ready. */
export const namesFollowPods: Proof = {
  claim:
    'A service’s name resolves to the pods that are there now; scaled and rolled over, no call by name fails.',
  bulk: true,
  async run(lab) {
    const scene = findScene(lab)
    if (!scene)
      return notShown('no headless service selects the pods of a deployment while another pod could call it')
    const { deployment, client, name } = scene
    const { replicas } = deployment.spec
    const target = {
      kind: 'Deployment',
      name: deployment.metadata.name,
      namespace: deployment.metadata.namespace,
    } as const
    const seen = [`${podLabel(client)} looks up ${name}`]
    let right = await resolvesRightly(lab, scene, seen, 'at first')
    const before = new Set(podsOf(lab, deployment).map(({ pod }) => pod.metadata.name))
    const calls = await callWhile(lab, client, scene, async () => {
      for (const count of [13, 1, replicas]) {
        lab.cluster.scale(target, count)
        await lab.cluster.settled()
        await sleep(lab.clock, between)
        right = (await resolvesRightly(lab, scene, seen, `scaled to ${count}`)) && right
      }
      lab.cluster.restart(target)
      await lab.cluster.settled()
      await sleep(lab.clock, between)
      right = (await resolvesRightly(lab, scene, seen, 'rolled over')) && right
    })
    const kept = podsOf(lab, deployment).filter(({ pod }) => before.has(pod.metadata.name))
    seen.push(
      `meanwhile ${calls.made} calls by name, ${calls.failures.length} failed; ${calls.answeredBy.size} pods answered, ${kept.length} of the first are left`,
    )
    seen.push(...calls.failures.slice(0, 3))
    return holdsWhen(right && calls.failures.length === 0 && calls.made > 0 && kept.length === 0, seen)
  },
}

function findScene(lab: Lab): Scene | undefined {
  const { objects, zone } = lab.cluster
  for (const service of objects.list('Service').filter(isHeadless)) {
    const { name, namespace } = service.metadata
    const { selector } = service.spec
    if (selector === undefined || namespace === 'kube-system') continue
    const deployment = objects
      .list('Deployment', namespace)
      .find(({ spec }) => matchesLabels(selector, spec.template.metadata.labels))
    const port = deployment?.spec.template.spec.containers
      .flatMap(({ ports }) => ports)
      .find(({ protocol }) => protocol === 'TCP')
    const client = runningPods(lab).find(
      ({ pod }) => isReady(pod) && !matchesLabels(selector, pod.metadata.labels),
    )
    if (deployment && port && client) {
      return {
        service,
        deployment,
        client,
        name: `${name}.${namespace}.svc.${zone.name}`,
        port: port.containerPort,
      }
    }
  }
  return undefined
}

function podsOf(lab: Lab, { metadata, spec }: Deployment): readonly RunningPod[] {
  const labels = spec.selector.matchLabels ?? {}
  return runningPods(lab).filter(
    ({ pod }) => pod.metadata.namespace === metadata.namespace && matchesLabels(labels, pod.metadata.labels),
  )
}

/** Asks by packets, without a cache, and compares with the pods that are ready. */
async function resolvesRightly(
  lab: Lab,
  { deployment, client, name }: Scene,
  seen: string[],
  when: string,
): Promise<boolean> {
  const answered = [...(await client.resolver().lookup(`${name}.`))].sort()
  const ready = podsOf(lab, deployment)
    .filter(({ pod }) => isReady(pod) && pod.metadata.deletionTimestamp === undefined)
    .flatMap(({ sandbox }) => sandbox.addresses)
    .sort()
  const right = answered.length === ready.length && answered.every((address, i) => address === ready[i])
  const shown =
    answered.length > 4
      ? `${answered.slice(0, 3).join(', ')} and ${answered.length - 3} more`
      : answered.join(', ')
  seen.push(
    `${when}: ${answered.length} addresses (${shown})${right ? '' : `, but ready are ${ready.join(', ')}`}`,
  )
  return right
}
