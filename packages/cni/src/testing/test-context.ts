import type { Clock, Kernel } from '@podfabric/kernel'
import type { Store } from '@podfabric/store'
import { execDelegate } from '../exec-delegate.ts'
import type { Log, PluginContext, PluginFactory } from '../plugin.ts'
import { inProcess } from '../runtime/in-process.ts'

export interface TestContextOptions {
  readonly kernel: Kernel
  /** Used as the network's own. */
  readonly store: Store
  readonly clock: Clock
  /** Default: `node-1`. */
  readonly node?: string
  /** Plugins to delegate to, by type; they get this same context. */
  readonly plugins?: Readonly<Record<string, PluginFactory>>
}

export interface LoggedLine {
  readonly level: keyof Log
  readonly message: string
  readonly facts: Readonly<Record<string, unknown>>
}

export interface TestContext extends PluginContext {
  /** What was logged, oldest first. */
  readonly logged: readonly LoggedLine[]
}

/** A context for a plugin under test: its log is kept, its random numbers are the same in each run. */
export function testContext(options: TestContextOptions): TestContext {
  const { kernel, store, clock, node = 'node-1', plugins = {} } = options
  const { log, logged } = keptLog()
  const own = { kernel, store, clock, log, node: { name: node }, random: countedRandom() }
  const exec = inProcess({ plugins, context: () => own })
  return {
    ...own,
    logged,
    delegate: (type) => execDelegate(exec, type, (text) => log.warn(text)),
  }
}

/** A log that keeps what it is told. */
export function keptLog(): { readonly log: Log; readonly logged: readonly LoggedLine[] } {
  const logged: LoggedLine[] = []
  const line =
    (level: keyof Log) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}): void =>
      void logged.push({ level, message, facts })
  return {
    logged,
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
  }
}

/** Numbers that look random enough for names, and are the same always. */
function countedRandom(): () => number {
  let count = 0
  return () => {
    count++
    return (count * 0.618_033_988_749_895) % 1
  }
}
