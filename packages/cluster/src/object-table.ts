import { type Kind, type KubeObject, type ObjectMeta, type ObjectOf, objectKey } from '@podfabric/kube'

/** One object's change, as its watchers see it. */
export type ObjectChange =
  | { readonly type: 'put'; readonly object: KubeObject; readonly previous?: KubeObject }
  | { readonly type: 'delete'; readonly previous: KubeObject }

/**
 * The cluster's objects: what an API server keeps. Objects are values; putting one replaces it whole.
 * Watchers are called at once and in order; each change is seen by all of them before the next is made.
 */
export interface ObjectTable {
  get<K extends Kind>(kind: K, name: string, namespace?: string): ObjectOf<K> | undefined
  /** In byte order of namespace and name. */
  list<K extends Kind>(kind: K, namespace?: string): readonly ObjectOf<K>[]
  /**
   * Creates or replaces. Gives a new object `uid` and `creationTimestamp`, counts `generation` when the spec changed, and sets
   * `resourceVersion`. Returns it as it is kept. An object that would stay as it is, is left alone.
   */
  put<O extends KubeObject>(object: O): O
  /** Takes the object away; returns whether it was there. */
  remove(kind: Kind, name: string, namespace?: string): boolean
  watch(listener: (change: ObjectChange) => void): Disposable
}

export interface ObjectTableOptions {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
}

export function objectTable({ now }: ObjectTableOptions): ObjectTable {
  const byKind = new Map<Kind, Map<string, KubeObject>>()
  const listeners = new Set<(change: ObjectChange) => void>()
  const queue: ObjectChange[] = []
  let version = 0
  let announcing = false

  function announce(change: ObjectChange) {
    queue.push(change)
    if (announcing) return
    announcing = true
    try {
      for (let next = queue.shift(); next; next = queue.shift())
        for (const listener of listeners) listener(next)
    } finally {
      announcing = false
    }
  }

  const rowsOf = (kind: Kind) => {
    const rows = byKind.get(kind) ?? new Map<string, KubeObject>()
    byKind.set(kind, rows)
    return rows
  }

  return {
    get<K extends Kind>(kind: K, name: string, namespace = '') {
      // Rows of a kind hold objects of that kind only.
      return byKind.get(kind)?.get(rowKey(namespace, name)) as ObjectOf<K> | undefined
    },
    list<K extends Kind>(kind: K, namespace?: string) {
      const rows = [...rowsOf(kind).entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
      const wanted = namespace === undefined ? rows : rows.filter((row) => namespaceOf(row) === namespace)
      return wanted as ObjectOf<K>[]
    },
    put(object) {
      const rows = rowsOf(object.kind)
      const key = rowKey(namespaceOf(object), object.metadata.name)
      const previous = rows.get(key)
      if (previous && isSame(previous, object)) return previous as typeof object
      version++
      const kept = { ...object, metadata: metadataOf(object, previous, version, now()) }
      rows.set(key, kept)
      announce({ type: 'put', object: kept, ...(previous && { previous }) })
      return kept
    },
    remove(kind, name, namespace = '') {
      const rows = rowsOf(kind)
      const key = rowKey(namespace, name)
      const previous = rows.get(key)
      if (!previous) return false
      rows.delete(key)
      announce({ type: 'delete', previous })
      return true
    },
    watch(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
  }
}

const rowKey = (namespace: string, name: string) => `${namespace}/${name}`

function namespaceOf({ metadata }: KubeObject): string {
  return 'namespace' in metadata ? metadata.namespace : ''
}

/** Equal but for what the table itself writes. */
function isSame(previous: KubeObject, object: KubeObject): boolean {
  return textOf(previous, previous.metadata) === textOf(object, merged(object, previous))
}

function textOf(object: KubeObject, metadata: ObjectMeta): string {
  const { resourceVersion, generation, ...rest } = metadata
  return JSON.stringify(sorted({ ...object, metadata: rest }))
}

/** Keys in one order, so that equal values have equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}

function merged<O extends KubeObject>(object: O, previous: KubeObject | undefined): O['metadata'] {
  const { uid, creationTimestamp } = previous?.metadata ?? {}
  return {
    ...object.metadata,
    ...(uid !== undefined && { uid }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
  }
}

function metadataOf<O extends KubeObject>(
  object: O,
  previous: KubeObject | undefined,
  version: number,
  at: number,
): O['metadata'] {
  const { generation = 0 } = previous?.metadata ?? {}
  const changed =
    !previous || JSON.stringify(sorted(specOf(previous))) !== JSON.stringify(sorted(specOf(object)))
  return {
    creationTimestamp: new Date(at).toISOString(),
    ...merged(object, previous),
    uid: previous?.metadata.uid ?? uidOf(object, version),
    resourceVersion: String(version),
    generation: changed ? generation + 1 : generation,
  }
}

const specOf = (object: KubeObject): unknown => ('spec' in object ? object.spec : undefined)

/** Unique because the version is; of no other meaning. */
function uidOf(object: KubeObject, version: number): string {
  return `${objectKey(object).toLowerCase().replaceAll('/', '-')}-${version}`
}
