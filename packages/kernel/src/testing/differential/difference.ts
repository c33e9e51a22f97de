import type { Observation } from './observation.ts'

/** Something that a kernel said about one thing. */
export interface Account {
  /** The outcome of each step, `ok` or an errno. */
  readonly outcomes: readonly string[]
  /** By namespace. */
  readonly state: Readonly<Record<string, Observation>>
}

/** Where two accounts differ, a line for each row that only one of them has; empty where they agree. */
export function differences(
  names: readonly [string, string],
  [a, b]: readonly [Account, Account],
  steps: readonly string[],
): readonly string[] {
  const found: string[] = []
  for (const [i, step] of steps.entries()) {
    const [left, right] = [a.outcomes[i], b.outcomes[i]]
    if (left !== right) found.push(`${step}: ${names[0]} said ${left}, ${names[1]} ${right}`)
  }
  for (const [place, observation] of Object.entries(a.state)) {
    const other = b.state[place] ?? {}
    for (const table of new Set([...Object.keys(observation), ...Object.keys(other)])) {
      const [mine, theirs] = [observation[table] ?? [], other[table] ?? []]
      for (const row of without(mine, theirs)) found.push(`[${place}] ${table}: only ${names[0]} has ${row}`)
      for (const row of without(theirs, mine)) found.push(`[${place}] ${table}: only ${names[1]} has ${row}`)
      if (mine.length === theirs.length && without(mine, theirs).length === 0 && differs(mine, theirs)) {
        found.push(`[${place}] ${table}: the order differs: ${mine.join(' | ')}, and ${theirs.join(' | ')}`)
      }
    }
  }
  return found
}

function differs(a: readonly string[], b: readonly string[]): boolean {
  return a.some((row, i) => row !== b[i])
}

/** As sets with repetition. */
function without(rows: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others]
  return rows.filter((row) => {
    const at = left.indexOf(row)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
