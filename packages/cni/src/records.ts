import type { Entry, PutOptions, Store } from '@podfabric/store'
import type { CniError } from './error.ts'
import { toCniError } from './to-cni-error.ts'

/** What is stored under a name: a value, or, where it cannot be read, what is wrong with it. */
export type Found<T> =
  | { readonly name: string; readonly revision: number; readonly value: T }
  | { readonly name: string; readonly revision: number; readonly damage: CniError }

/** Values of one kind under one prefix of a store. One that cannot be read hides no other, and is replaced by nobody but `put`. */
export interface Records<T> {
  get(name: string): Promise<Found<T> | undefined>
  list(): Promise<readonly Found<T>[]>
  /** Whether there is at least one; costs the same however many there are. */
  any(): Promise<boolean>
  /** The revision written. Fails with STORE_CONFLICT where `ifRevision` does not hold. */
  put(name: string, value: T, options?: PutOptions): Promise<number>
  delete(name: string): Promise<void>
}

/** The records under `prefix`, which ends in `/`. Errors of the store pass through. */
export function recordsIn<T>(
  store: Store,
  prefix: string,
  { parse, format }: { readonly parse: (text: string) => T; readonly format: (value: T) => string },
): Records<T> {
  const read = ({ key, value, revision }: Entry): Found<T> => {
    const name = key.slice(prefix.length)
    try {
      return { name, revision, value: parse(value) }
    } catch (error) {
      return { name, revision, damage: toCniError(error, key) }
    }
  }
  return {
    async get(name) {
      const entry = await store.get(prefix + name)
      return entry && read(entry)
    },
    async list() {
      const { entries } = await store.list(prefix)
      return entries.map(read)
    },
    async any() {
      return (await store.list(prefix, { limit: 1 })).entries.length > 0
    },
    async put(name, value, options) {
      return (await store.put(prefix + name, format(value), options)).revision
    },
    async delete(name) {
      await store.delete(prefix + name)
    },
  }
}
