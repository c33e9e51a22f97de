/**
 * Names a lease. Opaque, and unique for as long as the store's data live.
 */
export type LeaseId = string

/** A key and its value, as they stood at one revision. Never changes; a later write makes another entry. */
export interface Entry {
  /** See `parseKey` for the grammar. */
  readonly key: string
  /** Text, by custom JSON. At most `maxValueLength` UTF-16 code units, without lone surrogates. */
  readonly value: string
  /** The revision that created the key; deleting and writing it again starts anew. */
  readonly createRevision: number
  /** The revision that wrote this value (etcd's mod_revision). At least 1. */
  readonly revision: number
  /** The lease whose end deletes the key; absent when the key stays until it is deleted. */
  readonly lease?: LeaseId
}

/** Where to begin and how much to return. */
export interface ListOptions {
  /** At most this many entries; at least 1. Default: all. */
  readonly limit?: number
  /** Only keys greater than this key: pass the last key of the page before. It need not exist. */
  readonly after?: string
}

/** Entries under a prefix at one revision, in ascending byte order of their keys. */
export interface EntryList {
  readonly revision: number
  readonly entries: readonly Entry[]
}

/** Conditions and lease of a single write. */
export interface PutOptions {
  /**
   * Write only if the key's entry has this revision now; 0 = only if the key does not exist.
   * Otherwise the call fails with STORE_CONFLICT and changes nothing. Default: write in any case.
   */
  readonly ifRevision?: number
  /** Attach the key to this lease. A put without a lease detaches the key from the one it had. */
  readonly lease?: LeaseId
}

/** Condition of a single deletion. */
export interface DeleteOptions {
  /** As in `PutOptions`. */
  readonly ifRevision?: number
}

/** A condition on one key. Several in a transaction must hold together. */
export type Compare =
  /** The key's entry has this revision; 0 = the key does not exist. */
  | { readonly key: string; readonly revision: number }
  /** The key exists and has exactly this value. */
  | { readonly key: string; readonly value: string }
  /** The key exists, or does not, whatever its revision. */
  | { readonly key: string; readonly exists: boolean }

/** One step of a transaction. */
export type Operation =
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly lease?: LeaseId }
  | { readonly type: 'delete'; readonly key: string }

/**
 * If every comparison holds, `success` is done, else `failure` (default: nothing). Comparisons and operations see and make
 * one revision: nobody sees a part of it. At most `maxOperations` comparisons, and as many operations in
 * either branch; no branch may write one key twice. A get after a put of the same key in one branch sees the put.
 */
export interface Transaction {
  readonly compare: readonly Compare[]
  readonly success: readonly Operation[]
  readonly failure?: readonly Operation[]
}

/** What became of one operation, in the order of the operations. */
export type OperationResult =
  /** `entry` is undefined where there is no such key. */
  | { readonly type: 'get'; readonly entry: Entry | undefined }
  | { readonly type: 'put'; readonly entry: Entry }
  /** `previous` is what was deleted, undefined where there was nothing to delete. */
  | { readonly type: 'delete'; readonly previous: Entry | undefined }

/** The outcome of a transaction. Conditions that do not hold are an outcome, not an error. */
export interface TransactionResult {
  /** True when the comparisons held and `success` was done. */
  readonly succeeded: boolean
  /** The revision it made, or, when it wrote nothing, the store's revision at that moment. */
  readonly revision: number
  readonly results: readonly OperationResult[]
}

/**
 * A promise of life: keys attached to it are deleted, all in one revision, when it is not renewed in time or is revoked.
 */
export interface Lease {
  readonly id: LeaseId
  /** As granted; a store may grant more than was asked for, never less. */
  readonly ttlSeconds: number
  /**
   * Aborted once the lease cannot be relied on any more: expired, revoked, or not known to be renewed for its whole
   * time to live. Its reason is a StoreError: STORE_LEASE_LOST, or STORE_CLOSED when the store was closed.
   */
  readonly lost: AbortSignal
  /** Renews it once, for `ttlSeconds` from now. Fails with STORE_LEASE_LOST when it is gone. Nobody else renews it. */
  keepAlive(): Promise<void>
  /** Ends it now and deletes its keys. Does nothing when it has ended already. */
  revoke(): Promise<void>
}

/** One key's change. */
export type Change =
  /** `previous` is the entry that was overwritten, absent where the key is new. */
  | { readonly type: 'put'; readonly key: string; readonly entry: Entry; readonly previous?: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly previous: Entry }

/**
 * What a watch reports.
 *
 * `snapshot`: everything under the prefix at `revision`, ascending by key; replaces whatever the watcher knew.
 * `changes`: what one revision changed under the prefix, in the order of its operations; applies to what was known before.
 * Revisions ascend, and none that touches the prefix is left out or repeated.
 * `lag`: from here on what the watcher knows may be out of date. The next event, a snapshot or changes (perhaps an empty
 * list), ends that; the watch goes on by itself, and the watcher has nothing to do but to know.
 */
export type WatchEvent =
  | { readonly kind: 'snapshot'; readonly revision: number; readonly entries: readonly Entry[] }
  | { readonly kind: 'changes'; readonly revision: number; readonly changes: readonly Change[] }
  | { readonly kind: 'lag'; readonly reason: LagReason }

/**
 * Why a watch fell behind: `overrun`, the watcher did not take its events in time; `compacted`, the history it
 * needs is no longer kept; `unknown-revision`, it asked for a revision the store has not reached, so the data are not
 * those it once knew; `disconnected`, the store cannot be reached.
 */
export type LagReason = 'overrun' | 'compacted' | 'unknown-revision' | 'disconnected'

/** Where a watch begins and when it ends. */
export interface WatchOptions {
  /**
   * The first revision to report, at least 1: the last one seen plus one. While the store still has that history the watch
   * begins with its changes and without a snapshot; otherwise with `lag` and a snapshot. Default: a snapshot of now.
   */
  readonly fromRevision?: number
  /** Ends the watch, without an error, when aborted. */
  readonly signal?: AbortSignal
}

/**
 * State shared by writers that do not trust each other's timing: versioned keys, compare-and-swap, leases and watches,
 * in etcd's words and with etcd's meaning.
 *
 * Every write makes the next revision of the whole store; revisions ascend by one or more and are safe integers. Reads see
 * every write that was answered before they were asked. A key is one or more segments joined by `/` (`parseKey`); a
 * prefix is empty, for everything, or ends in `/`, so that `pods/a/` never finds `pods/ab`.
 *
 * Every call may fail with a StoreError: STORE_INVALID_KEY, STORE_INVALID_VALUE, STORE_INVALID_TRANSACTION before anything
 * is changed; STORE_CLOSED after `close`; STORE_UNAVAILABLE when the store cannot be reached, and then a write may or may
 * not have happened, so that only what is conditional or idempotent should be tried again.
 */
export interface Store {
  /** The key's entry, or undefined. */
  get(key: string): Promise<Entry | undefined>
  list(prefix: string, options?: ListOptions): Promise<EntryList>
  /** Fails with STORE_CONFLICT (`ifRevision` does not hold) or STORE_LEASE_LOST (no such lease, or no longer). */
  put(key: string, value: string, options?: PutOptions): Promise<Entry>
  /** True when there was something to delete. Fails with STORE_CONFLICT when `ifRevision` does not hold. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>
  /** Fails with STORE_LEASE_LOST, and does nothing, when a put names a lease that is not there. */
  txn(transaction: Transaction): Promise<TransactionResult>
  /** Grants a lease. `ttlSeconds` is a whole number from 1 to 9,000,000,000. */
  lease(ttlSeconds: number): Promise<Lease>
  /**
   * Begins when first asked for an event and holds nothing before; leaving the loop (or `return()`) ends it.
   * One consumer each. Throws STORE_CLOSED when the store is closed meanwhile.
   */
  watch(prefix: string, options?: WatchOptions): AsyncIterableIterator<WatchEvent>
  /** Ends every watch and lease of this client; stored keys stay until their leases run out. Again: does nothing. */
  close(): Promise<void>
}
