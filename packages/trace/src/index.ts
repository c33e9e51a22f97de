export type { Drop, Hop, Step } from './hop.ts'
export type { DropReason, PassReason, Reason } from './reason.ts'
