import { resolve } from 'node:path'
import type { ObjectName } from '@podfabric/cluster'
import type { Kind } from '@podfabric/kube'
import { Failure } from '../failure.ts'
import type { Lab } from '../lab/lab.ts'
import { loadManifests } from '../manifests.ts'
import type { Output } from '../output.ts'
import { noteUnserved } from './unserved.ts'

// Commands that change the cluster, and wait until it is as wished.

const kinds: Readonly<Record<string, Kind>> = {
  pod: 'Pod',
  pods: 'Pod',
  po: 'Pod',
  deployment: 'Deployment',
  deployments: 'Deployment',
  deploy: 'Deployment',
  statefulset: 'StatefulSet',
  statefulsets: 'StatefulSet',
  sts: 'StatefulSet',
  replicaset: 'ReplicaSet',
  replicasets: 'ReplicaSet',
  rs: 'ReplicaSet',
  service: 'Service',
  services: 'Service',
  svc: 'Service',
  namespace: 'Namespace',
  namespaces: 'Namespace',
  ns: 'Namespace',
}

export async function applyFiles(
  lab: Lab,
  paths: readonly string[],
  folder: string,
  output: Output,
): Promise<void> {
  const absolute = paths.map((path) => resolve(folder, path))
  const objects = await loadManifests(absolute, output)
  for (const { object, outcome } of lab.cluster.apply(objects)) {
    output.line(`${object.kind.toLowerCase()}/${object.metadata.name} ${outcome}`)
  }
  noteUnserved(lab, output)
  await lab.cluster.settled()
}

export async function scale(lab: Lab, target: string, replicas: number, output: Output): Promise<void> {
  const name = objectNamed(target)
  const { kind } = name
  if (kind !== 'Deployment' && kind !== 'StatefulSet' && kind !== 'ReplicaSet') {
    throw new Failure('usage', `${target}: only deployments, statefulsets and replicasets can be scaled`)
  }
  lab.cluster.scale({ ...name, kind }, replicas)
  await lab.cluster.settled()
  output.line(`${target} scaled to ${replicas}`)
}

export async function restart(lab: Lab, target: string, output: Output): Promise<void> {
  const name = objectNamed(target)
  const { kind } = name
  if (kind !== 'Deployment' && kind !== 'StatefulSet') {
    throw new Failure('usage', `${target}: only deployments and statefulsets can be rolled over`)
  }
  lab.cluster.restart({ ...name, kind })
  await lab.cluster.settled()
  output.line(`${target} restarted: every pod is new`)
}

export async function rolloutStatus(lab: Lab, target: string | undefined, output: Output): Promise<void> {
  if (target !== undefined) {
    const { kind, name, namespace = 'default' } = objectNamed(target)
    if (!lab.cluster.objects.get(kind, name, kind === 'Namespace' ? undefined : namespace))
      throw new Failure('usage', `there is no ${kind} ${name} in namespace ${namespace}`)
  }
  await lab.cluster.settled()
  output.line(`${target ?? 'everything'} is as wished`)
}

export async function deleteObject(lab: Lab, kind: string, name: string, output: Output): Promise<void> {
  lab.cluster.delete(objectNamed(`${kind}/${name}`))
  await lab.cluster.settled()
  output.line(`${kind} ${name} deleted`)
}

/** `deployment/web` or `deployment/shop/web`: kind, namespace where it is not `default`, name. */
function objectNamed(text: string): ObjectName {
  const [word = '', ...rest] = text.split('/')
  const kind = Object.hasOwn(kinds, word.toLowerCase()) ? kinds[word.toLowerCase()] : undefined
  const name = rest.at(-1)
  if (kind === undefined || !name || rest.length > 2) {
    throw new Failure(
      'usage',
      `${text}: expected a kind and a name such as deployment/web or deployment/shop/web`,
    )
  }
  return { kind, name, ...(rest.length === 2 && rest[0] && { namespace: rest[0] }) }
}

export async function addNode(lab: Lab, name: string | undefined, output: Output): Promise<void> {
  const joined = await lab.addNode(name)
  await lab.cluster.settled()
  output.line(`node ${joined} joined`)
}

export async function drainNode(lab: Lab, name: string, output: Output): Promise<void> {
  lab.cluster.drainNode(name)
  await lab.cluster.settled()
  output.line(`node ${name} drained`)
}

export async function uncordonNode(lab: Lab, name: string, output: Output): Promise<void> {
  lab.cluster.uncordonNode(name)
  await lab.cluster.settled()
  output.line(`node ${name} takes pods again`)
}

/** Waits until the cluster has noticed by itself and the node's pods are back elsewhere. */
export async function failNode(lab: Lab, name: string, output: Output): Promise<void> {
  const before = lab.clock.now()
  await lab.failNode(name)
  await lab.cluster.settled()
  output.line(
    `node ${name} failed; ${Math.round((lab.clock.now() - before) / 1000)} s later its pods are back elsewhere`,
  )
}

export async function removeNode(lab: Lab, name: string, output: Output): Promise<void> {
  await lab.removeNode(name)
  await lab.cluster.settled()
  output.line(`node ${name} left`)
}
