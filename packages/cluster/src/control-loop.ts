import type { Log } from '@podfabric/cni'
import type { Clock } from '@podfabric/kernel'
import type { ObjectTable } from './object-table.ts'

/** Asks to be called again at a moment, in milliseconds since the Unix epoch. */
export type Later = (moment: number) => void

/**
 * Part of the control plane. `sync` compares what the objects ask for with what is there and changes objects accordingly. It is
 * level-triggered: called again after any change, and it must change nothing once all is right. What time alone will change
 * it announces by `later`, each time anew.
 */
export interface ControlLoopPart {
  readonly name: string
  sync(later: Later): void
  /** What it could not bring about when last called, a sentence each. */
  problems?(): readonly string[]
}

export interface ControlLoop extends Disposable {
  /** Runs soon, even though no object changed. */
  poke(): void
  /** Resolves when every part had nothing left to change. */
  idle(): Promise<void>
  /** What the parts cannot bring about as things stand, failures of their own included. */
  problems(): readonly string[]
}

export interface ControlLoopOptions {
  /** Its timers are background timers. */
  readonly clock: Clock
  readonly log: Log
}

/** Most rounds in a row in which nobody but the parts changed anything: they work against each other then. */
const mostRounds = 1000

/** Runs the parts, in order, after each change of an object, until none of them changes anything. Ends when disposed. */
export function controlLoop(
  table: ObjectTable,
  parts: readonly ControlLoopPart[],
  { clock, log }: ControlLoopOptions,
): ControlLoop {
  const failures = new Map<string, string>()
  let dirty = false
  let syncing = false
  let ownRounds = 0
  let running: Promise<void> | undefined
  let timer: Disposable | undefined
  let disposed = false

  function round() {
    let next = Number.POSITIVE_INFINITY
    syncing = true
    for (const part of parts) {
      sync(part, (moment) => {
        next = Math.min(next, moment)
      })
    }
    syncing = false
    timer?.[Symbol.dispose]()
    timer = Number.isFinite(next)
      ? clock.after(Math.max(0, next - clock.now()), poke, { background: true })
      : undefined
  }

  function sync(part: ControlLoopPart, later: Later) {
    try {
      part.sync(later)
      failures.delete(part.name)
    } catch (error) {
      const message = `${part.name}: ${error instanceof Error ? error.message : String(error)}`
      if (failures.get(part.name) !== message)
        log.error('a part of the control plane failed', { error, part: part.name })
      failures.set(part.name, message)
    }
  }

  async function run() {
    while (dirty && !disposed) {
      dirty = false
      round()
      ownRounds = dirty ? ownRounds + 1 : 0
      if (ownRounds > mostRounds) giveUp()
      // Lets what the changes set in motion (nodes, watchers) take its turn before the next round.
      await Promise.resolve()
    }
  }

  /** Only a change from outside starts the parts again. */
  function giveUp() {
    const message = `the control plane still changes objects after ${mostRounds} rounds: its parts work against each other`
    log.error(message)
    failures.set('', message)
    dirty = false
  }

  function poke() {
    if (disposed) return
    dirty = true
    if (!syncing) {
      ownRounds = 0
      failures.delete('')
    }
    running ??= Promise.resolve()
      .then(run)
      .finally(() => {
        running = undefined
        // A change may have come after the last round and before this.
        if (dirty) poke()
      })
  }

  const watch = table.watch(poke)
  return {
    poke,
    async idle() {
      while (running) await running
    },
    problems: () => [...failures.values(), ...parts.flatMap((part) => part.problems?.() ?? [])],
    [Symbol.dispose]() {
      disposed = true
      watch[Symbol.dispose]()
      timer?.[Symbol.dispose]()
    },
  }
}
