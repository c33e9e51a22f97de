import { lstat, readdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing } from './is-missing.ts'
import { type RecordedState, stateFileName } from './recorded-state.ts'

export interface ClearOptions {
  readonly dryRun: boolean
  readonly removed: (what: string) => void
}

/** Takes away the files of the state, the socket that a killed agent left, and their folders where nothing else is in them. */
export async function clearState(
  { folder }: RecordedState,
  socket: string,
  { dryRun, removed }: ClearOptions,
): Promise<void> {
  const files = (await unlessMissing(() => readdir(folder), []))
    .filter((name) => name === stateFileName || /^agent\.db[-.]/.test(name))
    .sort()
    .map((name) => join(folder, name))
  const isSocket = await unlessMissing(async () => (await lstat(socket)).isSocket(), false)
  for (const file of isSocket ? [...files, socket] : files) {
    if (!dryRun) await rm(file, { force: true })
    removed(file)
  }
  if (dryRun) return
  const emptied = [...(files.length > 0 ? [folder] : []), ...(isSocket ? [dirname(socket)] : [])]
  for (const each of new Set(emptied)) {
    try {
      await rmdir(each)
      removed(each)
    } catch (error) {
      // Somebody else's files stay, and their folder with them.
      const stays =
        error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EBUSY')
      if (!stays && !isMissing(error)) throw error
    }
  }
}

async function unlessMissing<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isMissing(error)) return otherwise
    throw error
  }
}
