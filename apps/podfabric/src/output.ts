import { stringify } from 'yaml'

/** Where a command says what it has to say. Lines are whole; the line feed is added. */
export interface Output {
  /** The result: what a script would read. */
  line(text: string): void
  /** For people: progress, warnings. */
  note(text: string): void
}

export const formats = ['table', 'json', 'yaml'] as const
export type Format = (typeof formats)[number]

/** Rows under their column names, as `kubectl get` prints them. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [columns, ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)))
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}

/** A value as JSON or YAML. */
export function structured(value: unknown, format: Exclude<Format, 'table'>): string {
  if (format === 'json') return JSON.stringify(value, null, 2)
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd()
}
