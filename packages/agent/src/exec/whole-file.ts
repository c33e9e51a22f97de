import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * Writes a file so that whoever opens it sees the old content or the new one, whole, also after a crash: a temporary name in the
 * same folder that no container runtime reads, synced, renamed, and the folder synced. `mode` holds whatever the umask is.
 * The system's errors; nothing is left behind then.
 */
export async function writeWholeFile(
  path: string,
  content: Uint8Array | string,
  mode: number,
): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.podfabric-${randomBytes(8).toString('hex')}`)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(content)
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
