export { type AdoptOptions, adopt, beginAfter, disown, reserve, unreserve } from './adopt.ts'
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
export type { HeldSubnetLease, Renewal } from './held-lease.ts'
export type { IpamErrorCode } from './ipam-error.ts'
export { IpamError } from './ipam-error.ts'
export type { Owner } from './owner.ts'
export type { Pool, PoolRange } from './pool.ts'
export type { AcquireOptions, SubnetLeases, SubnetLeasesOptions } from './subnet-lease.ts'
export { subnetLeases } from './subnet-lease.ts'
export type { SubnetPlan } from './subnet-plan.ts'
export type { LeaseData, SubnetLease } from './subnet-record.ts'
