import type { NodeView } from './node-view.ts'

/** One reason for which a first install fails, and how it is found out. Looks only. */
export interface Check {
  /** For scripts: stays the same. */
  readonly id: string
  readonly title: string
  /** One finding for each thing that was looked at and is worth a line; at least one. */
  run(node: NodeView): readonly Finding[] | Promise<readonly Finding[]>
}

export type Finding =
  /** `unknown`: it could not be found out from here, and nothing is claimed. */
  | { readonly status: 'ok' | 'unknown'; readonly finding: string }
  | { readonly status: 'warning' | 'error'; readonly finding: string; readonly fix: string }

export const ok = (finding: string): Finding => ({ status: 'ok', finding })
export const unknown = (finding: string): Finding => ({ status: 'unknown', finding })
export const warning = (finding: string, fix: string): Finding => ({ status: 'warning', finding, fix })
export const error = (finding: string, fix: string): Finding => ({ status: 'error', finding, fix })

/** The problems; where there are none, what is well instead. */
export function orOk(problems: readonly Finding[], well: string): readonly Finding[] {
  return problems.length > 0 ? problems : [ok(well)]
}
