import type { Address, AddressKey } from './address.ts'
import type { KernelError } from './error.ts'
import type { LinkChange, LinkSpec } from './link.ts'
import type { FdbEntry, FdbKey, Neighbor, NeighborKey } from './neighbor.ts'
import type { NftCommand } from './nft.ts'
import type { Route, RouteKey, Rule } from './route.ts'

/**
 * One change to one namespace, as a value: it can be batched, logged as the command a person would have
 * typed, and made to fail. The verbs are those that Linux has, with its errors:
 *
 * | table | add | replace | set | delete |
 * | --- | --- | --- | --- | --- |
 * | link | EEXIST | – | ENODEV | ENODEV |
 * | address | EEXIST | ✓ | – | EADDRNOTAVAIL |
 * | route | EEXIST | ✓ | – | ESRCH |
 * | rule | EEXIST | – | – | ENOENT |
 * | neighbor | EEXIST | ✓ | – | ENOENT |
 * | fdb | EEXIST | ✓ | – | ENOENT |
 *
 * A link named in an operation on another table that is not there is ENODEV.
 */
export type Operation =
  | { readonly op: 'link.add'; readonly link: LinkSpec }
  | { readonly op: 'link.set'; readonly name: string; readonly change: LinkChange }
  | { readonly op: 'link.delete'; readonly name: string }
  | { readonly op: 'address.add' | 'address.replace'; readonly address: Address }
  | { readonly op: 'address.delete'; readonly address: AddressKey }
  | { readonly op: 'route.add' | 'route.replace'; readonly route: Route }
  | { readonly op: 'route.delete'; readonly route: RouteKey }
  | { readonly op: 'rule.add' | 'rule.delete'; readonly rule: Rule }
  | { readonly op: 'neighbor.add' | 'neighbor.replace'; readonly neighbor: Neighbor }
  | { readonly op: 'neighbor.delete'; readonly neighbor: NeighborKey }
  /** `append` adds a further destination for the same MAC. */
  | { readonly op: 'fdb.add' | 'fdb.replace' | 'fdb.append'; readonly entry: FdbEntry }
  | { readonly op: 'fdb.delete'; readonly entry: FdbKey }
  /** `ifDiffers`: nothing is written where the value stands already. Default false. */
  | { readonly op: 'sysctl.set'; readonly name: string; readonly value: string; readonly ifDiffers?: boolean }
  | { readonly op: 'nft.apply'; readonly commands: readonly NftCommand[] }

/** What became of one operation. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: KernelError }

/**
 * A step around every operation of a kernel: log it, refuse it, or hand it on.
 * `next` applies it and never rejects.
 */
export interface Middleware {
  (operation: Operation, next: () => Promise<Outcome>, at: OperationSite): Promise<Outcome>
  /** The kinds of operation that it is about; others pass it by. Default: all. See `onlyFor`. */
  readonly ops?: readonly Operation['op'][]
}

export interface OperationSite {
  /** Path of the namespace it is applied in; `''` for the host's. */
  readonly netns: string
}
