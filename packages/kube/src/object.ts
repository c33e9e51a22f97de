import type { Deployment } from './deployment.ts'
import type { EndpointSlice } from './endpoint-slice.ts'
import type { Namespace } from './namespace.ts'
import type { Node } from './node.ts'
import type { Pod } from './pod.ts'
import type { ReplicaSet } from './replica-set.ts'
import type { Service } from './service.ts'
import type { StatefulSet } from './stateful-set.ts'

/** Every object that Podfabric understands; told apart by `kind`. */
export type KubeObject =
  | Namespace
  | Node
  | Pod
  | Deployment
  | ReplicaSet
  | StatefulSet
  | Service
  | EndpointSlice

export type Kind = KubeObject['kind']

/** The object of one kind: `ObjectOf<'Pod'>` is `Pod`. */
export type ObjectOf<K extends Kind> = Extract<KubeObject, { readonly kind: K }>

/** `Kind/namespace/name`, or `Kind/name` for Namespaces and Nodes: the same for the same object, and for no other. */
export function objectKey(object: KubeObject): string {
  return 'namespace' in object.metadata
    ? `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`
    : `${object.kind}/${object.metadata.name}`
}
