import type { Log } from '@podfabric/cni'

const levels = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof levels)[number]

/** One line for each entry from `least` on: level, message, facts; errors with what is behind them. */
export function lineLog(write: (line: string) => void, least: Level): Log {
  const entry =
    (level: Level) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) => {
      if (levels.indexOf(level) < levels.indexOf(least)) return
      const shown = Object.entries(facts).map(([name, value]) => ` ${name}=${show(value)}`)
      write(`${level} ${message}${shown.join('')}`)
    }
  return { debug: entry('debug'), info: entry('info'), warn: entry('warn'), error: entry('error') }
}

function show(value: unknown): string {
  if (value instanceof Error) {
    const behind =
      value instanceof AggregateError ? value.errors : value.cause === undefined ? [] : [value.cause]
    return [JSON.stringify(value.message), ...behind.map((cause) => `(${show(cause)})`)].join(' ')
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
