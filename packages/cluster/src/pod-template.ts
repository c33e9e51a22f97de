import type { Labels, OwnerReference, Pod, PodTemplate } from '@podfabric/kube'

/** A pod made from a template. */
export function podFrom(
  template: PodTemplate,
  as: { name: string; namespace: string; owner: OwnerReference; labels?: Labels },
): Pod {
  const { name, namespace, owner, labels = {} } = as
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { ...template.metadata.labels, ...labels },
      annotations: template.metadata.annotations,
      ownerReferences: [owner],
    },
    spec: template.spec,
  }
}

/** Eight hexadecimal digits that stand for a template, whatever the order of its keys: FNV-1a over its JSON. */
export function templateHash(template: PodTemplate): string {
  let hash = 0x811c9dc5
  for (const character of JSON.stringify(template, inKeyOrder)) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x0100_0193) >>> 0
  }
  return hash.toString(16).padStart(8, '0')
}

function inKeyOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const letters = 'bcdfghjklmnpqrstvwxz2456789'

/** Five letters and digits, as Kubernetes appends to the names of a ReplicaSet's pods. */
export function nameSuffix(random: () => number): string {
  return Array.from({ length: 5 }, () => letters[Math.floor(random() * letters.length)]).join('')
}
