export type { AllocatedAddress, Allocation } from './allocation.ts'
export type {
  AllocateOptions,
  AllocationList,
  Allocator,
  AllocatorOptions,
  CollectOptions,
  PoolStatus,
} from './allocator.ts'
export { allocator } from './allocator.ts'
export type { Collected } from './collect.ts'
export type { IpamErrorCode } from './ipam-error.ts'
export { IpamError } from './ipam-error.ts'
export type { Owner } from './owner.ts'
export type { Pool, PoolRange } from './pool.ts'
