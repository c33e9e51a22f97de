export type { ManualClock } from './manual-clock.ts'
export { manualClock } from './manual-clock.ts'
export { storeContract } from './store-contract.ts'
export type { StoreCase, StoreSubject } from './subject.ts'
