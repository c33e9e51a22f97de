export type { Clock, TimerOptions } from './clock.ts'
export type {
  Collection,
  CollectionEvent,
  Damage,
  Format,
  Item,
  ItemChange,
  ItemList,
} from './collection.ts'
export { collection, json } from './collection.ts'
export { maxKeyLength, parseKey, parsePrefix } from './key.ts'
export { maxLeaseSeconds } from './lease-terms.ts'
export type { MemoryStore, MemoryStoreOptions } from './memory-store.ts'
export { memoryStore } from './memory-store.ts'
export { scoped } from './scoped-store.ts'
export type {
  Change,
  Compare,
  DeleteOptions,
  Entry,
  EntryList,
  LagReason,
  Lease,
  LeaseId,
  ListOptions,
  Operation,
  OperationResult,
  PutOptions,
  Store,
  Transaction,
  TransactionResult,
  WatchEvent,
  WatchOptions,
} from './store.ts'
export type { StoreErrorCode } from './store-error.ts'
export { StoreError } from './store-error.ts'
export { maxOperations, parseRevision, parseTransaction } from './transaction.ts'
export { maxValueLength, parseValue } from './value.ts'
