export type { Clock, TimerOptions } from './clock.ts'
export { maxKeyLength, parseKey, parsePrefix } from './key.ts'
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
export { StoreError } from './store-error.ts'
export type { StoreErrorCode } from './store-error.ts'
