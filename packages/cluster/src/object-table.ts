import type { Log } from '@podfabric/cni'
import { type Kind, type KubeObject, type ObjectMeta, type ObjectOf, objectKey } from '@podfabric/kube'
import { sameValue } from './same-value.ts'

/** One object's change, as its watchers see it. */
export type ObjectChange =
  | { readonly type: 'put'; readonly object: KubeObject; readonly previous?: KubeObject }
  | { readonly type: 'delete'; readonly previous: KubeObject }

/**
 * The cluster's objects: what an API server keeps. Objects are values; putting one replaces it whole.
 *
 * Watchers are called at once, and see every change in the order in which they were made. A watcher may change objects
 * itself: that change is made at once and told after the one being told, so that the table can be ahead of what a watcher
 * is being told, never behind. One that throws is reported to the log and keeps nothing from the others.
 */
export interface ObjectTable {
  /** A Namespace or Node has no namespace; everything else needs one. */
  get<K extends Kind>(kind: K, name: string, namespace?: string): ObjectOf<K> | undefined
  /** In byte order of namespace, then name. */
  list<K extends Kind>(kind: K, namespace?: string): readonly ObjectOf<K>[]
  /**
   * Creates or replaces. Gives a new object `uid` and `creationTimestamp` and keeps them from then on, counts `generation` when
   * the spec changed, and sets `resourceVersion`. Returns it as it is kept. An object that would stay as it is, is left alone:
   * nobody is told, and what is kept is returned.
   */
  put<O extends KubeObject>(object: O): O
  /** Takes the object away; returns whether it was there. */
  remove(kind: Kind, name: string, namespace?: string): boolean
  /** Calls back on every change from now on, until the handle is disposed. */
  watch(listener: (change: ObjectChange) => void): Disposable
}

export interface ObjectTableOptions {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  readonly log: Log
}

export function objectTable({ now, log }: ObjectTableOptions): ObjectTable {
  const byKind = new Map<Kind, Rows>()
  const listeners = new Set<(change: ObjectChange) => void>()
  const queue: ObjectChange[] = []
  let version = 0
  let announcing = false

  function announce(change: ObjectChange) {
    queue.push(change)
    if (announcing) return
    announcing = true
    for (let next = queue.shift(); next; next = queue.shift())
      for (const listener of listeners) tell(listener, next)
    announcing = false
  }

  function tell(listener: (change: ObjectChange) => void, change: ObjectChange) {
    try {
      listener(change)
    } catch (error) {
      log.error('a watcher of objects failed', { error })
    }
  }

  function rowsOf(kind: Kind): Rows {
    const rows = byKind.get(kind) ?? new Rows()
    byKind.set(kind, rows)
    return rows
  }

  return {
    get<K extends Kind>(kind: K, name: string, namespace = '') {
      // Rows of a kind hold objects of that kind only.
      return byKind.get(kind)?.get(rowKey(namespace, name)) as ObjectOf<K> | undefined
    },
    list<K extends Kind>(kind: K, namespace?: string) {
      const rows = rowsOf(kind).inOrder()
      const wanted = namespace === undefined ? rows : rows.filter((row) => namespaceOf(row) === namespace)
      return wanted as readonly ObjectOf<K>[]
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

/** The objects of one kind, and their order as long as nothing changes. */
class Rows {
  readonly #byKey = new Map<string, KubeObject>()
  #ordered: readonly KubeObject[] | undefined

  get(key: string): KubeObject | undefined {
    return this.#byKey.get(key)
  }

  set(key: string, object: KubeObject): void {
    this.#byKey.set(key, object)
    this.#ordered = undefined
  }

  delete(key: string): void {
    this.#byKey.delete(key)
    this.#ordered = undefined
  }

  inOrder(): readonly KubeObject[] {
    this.#ordered ??= [...this.#byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
    return this.#ordered
  }
}

/** NUL comes before everything that a name can hold, so that keys are in the order of their parts. */
const rowKey = (namespace: string, name: string) => `${namespace}\0${name}`

function namespaceOf({ metadata }: KubeObject): string {
  return 'namespace' in metadata ? metadata.namespace : ''
}

/** Equal but for what the table itself writes. */
function isSame(previous: KubeObject, object: KubeObject): boolean {
  const { resourceVersion, generation } = previous.metadata
  const metadata = { ...merged(object, previous), resourceVersion, generation }
  return sameValue(previous, { ...object, metadata })
}

/** What an object keeps for as long as it is there. */
function merged<O extends KubeObject>(object: O, previous: KubeObject | undefined): O['metadata'] {
  const { uid, creationTimestamp }: Pick<ObjectMeta, 'uid' | 'creationTimestamp'> = previous?.metadata ?? {}
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
  const changed = !previous || !sameValue(specOf(previous), specOf(object))
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
