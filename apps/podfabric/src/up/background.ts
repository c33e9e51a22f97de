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
  /** Words before the command, such as those of a program that starts it elsewhere. */
  readonly way?: readonly string[] | undefined
}

/**
 * Starts this program again as a process of its own that outlives this one, and passes on what it says until it is up or has given
 * up. Resolves to the exit code that it says. When this process ends before, so does that one.
 */
export async function startInBackground({
  words,
  state,
  output,
  way = [],
}: BackgroundOptions): Promise<number> {
  const log = openSync(state.log, 'w', 0o600)
  const [command, ...rest] = commandLine(way, words)
  const child = spawn(command, rest, {
    detached: true,
    env: { ...process.env, PODFABRIC_STATE: state.path },
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

/** This program again, behind some words. */
function commandLine(way: readonly string[], words: readonly string[]): readonly [string, ...string[]] {
  const own = [...process.execArgv, process.argv[1] ?? '', ...words]
  const [command, ...rest] = way
  return command === undefined ? [process.execPath, ...own] : [command, ...rest, process.execPath, ...own]
}

/** Starts this program again behind some words, in this one's place; what it is told by a signal, that one is told too. */
export async function startInForeground(
  way: readonly string[],
  { words, state }: Pick<BackgroundOptions, 'words' | 'state'>,
): Promise<number> {
  const [command, ...rest] = commandLine(way, words)
  const child = spawn(command, rest, {
    stdio: 'inherit',
    env: { ...process.env, PODFABRIC_STATE: state.path },
  })
  const pass = (signal: NodeJS.Signals) => void child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass)
  try {
    const [code] = await once(child, 'exit')
    return typeof code === 'number' ? code : exitCodes.failed
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, pass)
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
