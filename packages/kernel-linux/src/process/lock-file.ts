import { closeSync, openSync } from 'node:fs'
import { checked, fromFileError, negated } from '../errno.ts'
import { koffiSyscalls } from '../koffi-syscalls.ts'

export type LockKind = 'shared' | 'exclusive'

/** An open file whose places are locks among all that have it open; its content does not matter. */
export interface LockFile extends Disposable {
  /**
   * Takes a place, 0 to 2^53 - 1, or takes it otherwise; true once it is held, false where another open file holds it. Never waits.
   * What one open file holds is no obstacle for itself.
   */
  tryLock(place: number, kind: LockKind): boolean
  unlock(place: number): void
}

/**
 * Opens a lock file, made (0600) where it is missing. Its locks are the open file's: they end with the process, however it ends. The
 * system's errors as KernelError.
 */
export function lockFile(path: string): LockFile {
  const sys = koffiSyscalls()
  const operation = `lock in ${path}`
  let fd: number
  try {
    fd = openSync(path, 'a+', 0o600)
  } catch (error) {
    throw fromFileError(error, operation)
  }
  return {
    tryLock(place, kind) {
      const result = sys.lockPlace(fd, place, kind === 'shared' ? 0 : 1)
      if (result === negated('EAGAIN') || result === negated('EACCES')) return false
      checked(result, operation)
      return true
    },
    unlock: (place) => void checked(sys.lockPlace(fd, place, 2), operation),
    [Symbol.dispose]() {
      if (fd < 0) return
      closeSync(fd)
      fd = -1
    },
  }
}
