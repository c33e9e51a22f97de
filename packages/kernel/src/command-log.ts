import { formatCommand } from './command.ts'
import type { Middleware, Operation, OperationSite, Outcome } from './operation.ts'

/** What was asked of a kernel, in order of completion, and what became of it. */
export interface CommandLog {
  /** Goes around a kernel by `withMiddleware`; one log may go around several. */
  readonly middleware: Middleware
  readonly entries: readonly CommandLogEntry[]
  /** A shell script of what was done: a command for each operation, failures as comments behind. */
  toString(): string
}

export interface CommandLogEntry {
  readonly operation: Operation
  readonly outcome: Outcome
  readonly at: OperationSite
}

export interface CommandLogOptions {
  /** Called with each line as it completes. A line has no newline at its end, but may have several within. */
  readonly write?: (line: string) => void
}

export function commandLog(options: CommandLogOptions = {}): CommandLog {
  const entries: CommandLogEntry[] = []
  return {
    entries,
    middleware: async (operation, next, at) => {
      const outcome = await next()
      const entry = { operation, outcome, at }
      entries.push(entry)
      options.write?.(formatEntry(entry))
      return outcome
    },
    toString: () => entries.map((entry) => `${formatEntry(entry)}\n`).join(''),
  }
}

function formatEntry({ operation, outcome, at }: CommandLogEntry): string {
  const command = formatCommand(operation, at)
  return outcome.ok ? command : `${command}  # ${outcome.error.code}`
}
