import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { exitCodes } from '../failure.ts'
import type { Output } from '../output.ts'
import { parseReply, type Reply } from './message.ts'
import type { StateFolder } from './state-folder.ts'

export interface BackgroundOptions {
  /** The command again, after `podfabric`. */
  readonly words: readonly string[]
  readonly state: StateFolder
  readonly output: Output
}

/**
 * Starts this program again as a process of its own that outlives this one, and passes on what it says until it is up or has given
 * up. Resolves to the exit code that it says. When this process ends before, so does that one.
 */
export async function startInBackground({ words, state, output }: BackgroundOptions): Promise<number> {
  const log = openSync(state.log, 'w', 0o600)
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...words], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  const exitCode = Promise.withResolvers<number>()
  child.on('message', (message) => {
    const reply = parseReply(message)
    if ('exit' in reply) exitCode.resolve(reply.exit)
    else if ('line' in reply) output.line(reply.line)
    else if ('note' in reply) output.note(reply.note)
  })
  child.once('error', (error) => exitCode.reject(error))
  Promise.all([once(child, 'exit'), once(child, 'disconnect')]).then(
    ([[code, signal]]) => {
      // It ended without a word over the channel: what it printed last is all there is.
      const printed = readFileSync(state.log, 'utf8').trim().split('\n').slice(-20)
      output.note(['podfabric: the cluster did not come up', ...printed].join('\n'))
      if (signal) output.note(`podfabric: its process was ended by ${signal}`)
      exitCode.resolve(typeof code === 'number' && code !== 0 ? code : exitCodes.failed)
    },
    () => undefined, // the same error as above
  )
  try {
    return await exitCode.promise
  } finally {
    child.removeAllListeners()
    if (child.connected) child.disconnect()
    child.unref()
  }
}

/** Whoever started this process in the background and listens until it is told the exit code. */
export interface Starter {
  readonly output: Output
  finish(exitCode: number): void
  /** Resolves when it went away before it was told. */
  readonly gone: Promise<void>
}

/** The process that started this one by `startInBackground`, if one did. */
export function starterOf(own: NodeJS.Process): Starter | undefined {
  if (!own.connected) return undefined
  const gone = Promise.withResolvers<void>()
  let finished = false
  own.once('disconnect', () => {
    if (!finished) gone.resolve()
  })
  own.channel?.unref()
  const say = (reply: Reply) => {
    if (own.connected) own.send?.(reply, undefined, undefined, () => undefined) // it may go away at any time
  }
  return {
    output: { line: (line) => say({ line }), note: (note) => say({ note }) },
    gone: gone.promise,
    finish(exit) {
      finished = true
      say({ exit })
    },
  }
}
