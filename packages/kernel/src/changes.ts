import type { Address } from './address.ts'
import type { Link } from './link.ts'
import type { FdbEntry, Neighbor } from './neighbor.ts'
import type { Route, Rule } from './route.ts'

/** Something in a namespace's tables came, changed or went. */
export type Change =
  | { readonly table: 'links'; readonly type: ChangeType; readonly row: Link }
  | { readonly table: 'addresses'; readonly type: ChangeType; readonly row: Address }
  | { readonly table: 'routes'; readonly type: ChangeType; readonly row: Route }
  | { readonly table: 'rules'; readonly type: ChangeType; readonly row: Rule }
  | { readonly table: 'neighbors'; readonly type: ChangeType; readonly row: Neighbor }
  | { readonly table: 'fdb'; readonly type: ChangeType; readonly row: FdbEntry }
  /** Changes were lost. List again. */
  | { readonly table: 'overrun' }

/** `new`: it is there now, whether it was before or not. `gone`: it is not there any more. */
export type ChangeType = 'new' | 'gone'
