import { spawn } from 'node:child_process'
import { mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeWholeFile } from '../exec/whole-file.ts'

/** The node's files, for plugins that have to look at some: what host-local and flannel take over, and what they are told in files. */
export interface NodeFiles {
  /** The text of a file; undefined when there is none. Rejects for anything else, files above 1 MiB included. */
  read(path: string): Promise<string | undefined>
  /** The names in a folder; undefined when there is none. */
  list(folder: string): Promise<readonly string[] | undefined>
  /** A text that is another one when names have come to the folder or gone; undefined when there is no folder. */
  stamp(folder: string): Promise<string | undefined>
  /** Whoever reads the file finds the old text or the new one, whole. For its owner alone (0600), and so a folder that was missing. */
  write(path: string, text: string): Promise<void>
  /** Succeeds when there is no such file. */
  remove(path: string): Promise<void>
  /**
   * Works while holding the exclusive flock(2) of this file, which is made where it is missing. Waits at most ten seconds
   * for another process; needs the command `flock` of util-linux or busybox.
   */
  locked<T>(path: string, work: () => Promise<T>): Promise<T>
}

const largest = 1 << 20

export function nodeFiles(): NodeFiles {
  return {
    read: (path) =>
      unlessMissing(async () => {
        const { size } = await stat(path)
        if (size > largest) throw new RangeError(`${path} has ${size} octets, more than ${largest}`)
        return readFile(path, 'utf8')
      }),
    list: (folder) => unlessMissing(() => readdir(folder)),
    stamp: (folder) =>
      unlessMissing(async () => {
        const { mtimeNs, ino } = await stat(folder, { bigint: true })
        return `${ino}/${mtimeNs}`
      }),
    async write(path, text) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      await writeWholeFile(path, text, 0o600)
    },
    remove: (path) => rm(path, { force: true }),
    async locked(path, work) {
      const file = await open(path, 'a', 0o600)
      try {
        await lock(file.fd, path)
        return await work()
      } finally {
        // The lock is the open file's, and goes with it.
        await file.close()
      }
    },
  }
}

/** The child locks the open file that it shares with us; ending, it leaves the lock to us. */
function lock(fd: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['-x', '-w', '10', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
    child.on('error', (cause) => {
      reject(new Error(`${path} cannot be locked: the command flock could not be started`, { cause }))
    })
    child.on('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`${path} cannot be locked: another process has held it for ten seconds`))
    })
  })
}

async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
