import type { KubeObject } from '@podfabric/kube'

/** `pod default/web`, `node node-1`: how messages name an object. */
export function describeObject({ kind, metadata }: KubeObject): string {
  const namespace = 'namespace' in metadata ? `${metadata.namespace}/` : ''
  return `${kind.toLowerCase()} ${namespace}${metadata.name}`
}
