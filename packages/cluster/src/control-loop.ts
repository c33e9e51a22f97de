import type { Log } from '@podfabric/cni'
import type { ObjectTable } from './object-table.ts'

/**
 * Part of the control plane. `sync` compares what the objects ask for with what is there and changes objects
 * accordingly. It is level-triggered: called again after any change, and it must do nothing once all is right.
 */
export interface ControlLoopPart {
  readonly name: string
  sync(): void
}

export interface ControlLoop extends Disposable {
  /** Runs soon, even though no object changed: a time came, a node reported. */
  poke(): void
  /** Resolves when every part had nothing left to change. */
  idle(): Promise<void>
}

/** Most rounds in a row; parts that still change objects then work against each other. */
const MAX_ROUNDS = 1000

/** Runs the parts, in order, after each change of an object, until none of them changes anything. */
export function controlLoop(table: ObjectTable, parts: readonly ControlLoopPart[], log: Log): ControlLoop {
  let dirty = false
  let running: Promise<void> | undefined

  async function run() {
    for (let round = 0; dirty; round++) {
      if (round === MAX_ROUNDS) throw new Error(`control loop: still changing after ${MAX_ROUNDS} rounds`)
      dirty = false
      for (const part of parts) syncOne(part, log)
      // Lets what was started by the changes (nodes, watchers) take its turn before the next round.
      await Promise.resolve()
    }
  }

  function poke() {
    dirty = true
    running ??= Promise.resolve()
      .then(run)
      .catch((error) => log.error('control loop stopped', { error }))
      .finally(() => {
        running = undefined
        if (dirty) poke()
      })
  }

  const watch = table.watch(poke)
  return {
    poke,
    async idle() {
      while (running) await running
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  }
}

function syncOne(part: ControlLoopPart, log: Log) {
  try {
    part.sync()
  } catch (error) {
    log.error(`${part.name}: sync failed`, { error })
  }
}
