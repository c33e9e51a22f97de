import { socketPathFrom } from '@podfabric/agent/exec'
import { linux, linuxAvailable } from '@podfabric/kernel-linux'
import { Failure } from '../failure.ts'
import type { Output } from '../output.ts'
import { clearState } from './clear-state.ts'
import { collectAttachments } from './collect-attachments.ts'
import { hostTables, ownedIn } from './host-tables.ts'
import { listFiles } from './list-file.ts'
import { isListening } from './listening.ts'
import { recordedState, stateFolderFrom } from './recorded-state.ts'
import { ownedNames, removeOwned } from './remove-owned.ts'
import { restoreSysctls } from './restore-sysctls.ts'

/**
 * Removes what we made on this machine and only that: attachments, then what they shared; gives settings that we changed their
 * former values; then removes the state. Refused while an agent
 * listens, which would make it anew. Goes on past failures and throws them as one; the state stays then.
 */
export async function clean(options: Readonly<Record<string, unknown>>, output: Output): Promise<number> {
  const dryRun = options.dryRun === true
  const socket = socketPathFrom(process.env)
  if (await isListening(socket)) {
    throw new Failure('usage', `an agent listens at ${socket}: end it first, it would make all of it anew`)
  }
  const availability = linuxAvailable()
  if (!availability.available) throw new Failure('usage', availability.reason)

  const state = await recordedState(stateFolderFrom(process.env), false)
  const files = await listFiles(String(options.confDir))
  const removed = (what: string) => output.line(dryRun ? `would remove ${what}` : `removed ${what}`)
  const failures: unknown[] = []
  const failed = (error: unknown) => void failures.push(error)

  if (state.damage !== undefined) {
    output.note(
      `${state.file} cannot be read: ${state.damage}; what forwarding was before us is not known, it stays`,
    )
  }
  const kernel = linux()
  try {
    const before = ownedNames(ownedIn(await hostTables(kernel)))
    await collectAttachments({ state, files, dryRun, removed, failed, note: (text) => output.note(text) })
    const owned = ownedIn(await hostTables(kernel))
    // What went with the attachments.
    const left = new Set(ownedNames(owned))
    for (const name of before) if (!left.has(name)) removed(name)
    await removeOwned(kernel, owned, { dryRun, removed, failed })
    // Last, and only where nobody of ours is left to want them.
    if (failures.length === 0) {
      const line = (text: string) => output.line(text)
      await restoreSysctls(kernel, state.sysctls, { dryRun, line, note: (text) => output.note(text), failed })
    }
  } finally {
    await kernel[Symbol.asyncDispose]()
  }
  if (failures.length > 0)
    throw new AggregateError(failures, 'not everything could be removed; the state stays')
  await clearState(state, socket, { dryRun, removed })
  return 0
}
