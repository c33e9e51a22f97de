import { crc32 } from 'node:zlib'
import type { Entry } from '../store.ts'
import { StoreError } from '../store-error.ts'

/** A row as SQLite gives it. `value` is null for a deletion, octets where the text has a NUL (Node 22 cuts text there). */
export type Row = Record<string, unknown>

/** One key as one revision left it; `entry` is undefined where that revision deleted it. */
export interface Version {
  readonly id: number
  readonly revision: number
  readonly key: string
  readonly previous: number | undefined
  readonly entry: Entry | undefined
}

/** A checksum over everything in a row of `version`. */
export function sumOf(
  id: number,
  revision: number,
  key: string,
  value: string | null,
  created: number,
  lease: string | null,
  previous: number | null,
): number {
  const head = `${id} ${revision} ${created} ${previous} ${lease} ${key} ${value === null ? '-' : '+'}`
  return crc32(value ?? '', crc32(head))
}

/** A row of `version`, or STORE_DAMAGED where its checksum says that it is not what was written. */
export function readVersion(row: Row): Version {
  const { id, revision, key, created, lease, previous, sum } = row
  const value = row.value instanceof Uint8Array ? new TextDecoder().decode(row.value) : row.value
  if (
    typeof id === 'number' &&
    typeof revision === 'number' &&
    typeof key === 'string' &&
    (value === null || typeof value === 'string') &&
    typeof created === 'number' &&
    (lease === null || typeof lease === 'string') &&
    (previous === null || typeof previous === 'number') &&
    sum === sumOf(id, revision, key, value, created, lease, previous)
  ) {
    const plain = { key, value: value ?? '', createRevision: created, revision }
    const entry: Entry | undefined = value === null ? undefined : lease === null ? plain : { ...plain, lease }
    return { id, revision, key, previous: previous ?? undefined, entry }
  }
  throw new StoreError(
    'STORE_DAMAGED',
    `record ${String(id)} of ${String(key)} is not what was written: put it again`,
  )
}
