import { parsePrefix } from './key.ts'
import type {
  Change,
  DeleteOptions,
  Entry,
  LagReason,
  LeaseId,
  PutOptions,
  Store,
  WatchEvent,
  WatchOptions,
} from './store.ts'
import { StoreError } from './store-error.ts'

/** Turns values into text and text from outside back into values. */
export interface Format<T> {
  /** The value of this text, which stands under this name; or any error that says what is wrong with it. */
  parse(text: string, name: string): T
  format(value: T): string
}

/** JSON; `parse` checks the shape of what was read and says what is wrong with it by throwing. */
export function json<T>(parse: (value: unknown, name: string) => T): Format<T> {
  return { parse: (text, name) => parse(JSON.parse(text), name), format: (value) => JSON.stringify(value) }
}

/** An entry of a collection, its value parsed. `name` is the key without the collection's prefix. */
export interface Item<T> {
  readonly name: string
  readonly value: T
  readonly createRevision: number
  readonly revision: number
  readonly lease?: LeaseId
}

/** An entry that is there but cannot be read. `error` is STORE_DAMAGED and names key and reason. */
export interface Damage {
  readonly name: string
  readonly error: StoreError
}

/** What can be read, ascending by name, and apart from it what cannot. */
export interface ItemList<T> {
  readonly revision: number
  readonly items: readonly Item<T>[]
  readonly damaged: readonly Damage[]
}

export type ItemChange<T> =
  | { readonly type: 'put'; readonly name: string; readonly item: Item<T> }
  | { readonly type: 'delete'; readonly name: string }
  /** Something was written that cannot be read: what was known under this name holds no more. */
  | ({ readonly type: 'damaged' } & Damage)

/** As `WatchEvent`, with parsed values. */
export type CollectionEvent<T> =
  | ({ readonly kind: 'snapshot' } & ItemList<T>)
  | { readonly kind: 'changes'; readonly revision: number; readonly changes: readonly ItemChange<T>[] }
  | { readonly kind: 'lag'; readonly reason: LagReason }

/**
 * Values of one type under one prefix of a store. One entry that cannot be read never hides the others: `list` and
 * `watch` set it apart, only `get` of that very name fails, and nothing replaces it but an explicit `put`.
 */
export interface Collection<T> extends Format<T> {
  /** The store key of a name, for transactions. */
  key(name: string): string
  /** Fails with STORE_DAMAGED when it is there but cannot be read. */
  get(name: string): Promise<Item<T> | undefined>
  list(): Promise<ItemList<T>>
  put(name: string, value: T, options?: PutOptions): Promise<Item<T>>
  delete(name: string, options?: DeleteOptions): Promise<boolean>
  /** As `Store.watch`; one consumer. */
  watch(options?: WatchOptions): AsyncIterableIterator<CollectionEvent<T>>
}

/** The collection under `prefix`, which is not empty and ends in `/`. Errors of the store pass through. */
export function collection<T>(store: Store, prefix: string, format: Format<T>): Collection<T> {
  if (parsePrefix(prefix) === '') throw new RangeError('the prefix of a collection must not be empty')
  const read = (entry: Entry): Item<T> => {
    const { key, value, ...rest } = entry
    const name = key.slice(prefix.length)
    try {
      return { name, value: format.parse(value, name), ...rest }
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new StoreError('STORE_DAMAGED', `${key} cannot be read: ${reason}; put it again or delete it`, {
        cause,
      })
    }
  }
  const readAll = (revision: number, entries: readonly Entry[]): ItemList<T> => {
    const items: Item<T>[] = []
    const damaged: Damage[] = []
    for (const entry of entries) {
      const item = readOr(read, entry, prefix)
      if ('error' in item) damaged.push(item)
      else items.push(item)
    }
    return { revision, items, damaged }
  }
  const readChange = (change: Change): ItemChange<T> => {
    const name = change.key.slice(prefix.length)
    if (change.type === 'delete') return { type: 'delete', name }
    const item = readOr(read, change.entry, prefix)
    return 'error' in item ? { type: 'damaged', ...item } : { type: 'put', name, item }
  }
  const readEvent = (event: WatchEvent): CollectionEvent<T> => {
    if (event.kind === 'lag') return event
    if (event.kind === 'snapshot') return { kind: 'snapshot', ...readAll(event.revision, event.entries) }
    return { kind: 'changes', revision: event.revision, changes: event.changes.map(readChange) }
  }

  return {
    parse: format.parse,
    format: format.format,
    key: (name) => prefix + name,
    async get(name) {
      const entry = await store.get(prefix + name)
      return entry && read(entry)
    },
    async list() {
      const { revision, entries } = await store.list(prefix)
      return readAll(revision, entries)
    },
    async put(name, value, options) {
      return read(await store.put(prefix + name, format.format(value), options))
    },
    delete: (name, options) => store.delete(prefix + name, options),
    watch: (options) => mapped(store.watch(prefix, options), readEvent),
  }
}

function readOr<T>(read: (entry: Entry) => Item<T>, entry: Entry, prefix: string): Item<T> | Damage {
  try {
    return read(entry)
  } catch (error) {
    if (error instanceof StoreError) return { name: entry.key.slice(prefix.length), error }
    throw error
  }
}

function mapped<T, U>(watch: AsyncIterableIterator<T>, map: (event: T) => U): AsyncIterableIterator<U> {
  return {
    async next() {
      const result = await watch.next()
      return result.done ? { done: true, value: undefined } : { done: false, value: map(result.value) }
    },
    async return() {
      await watch.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
