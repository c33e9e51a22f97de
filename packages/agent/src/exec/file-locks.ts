import { CniError, type NodeLocks, processLocks } from '@podfabric/cni'
import type { Clock } from '@podfabric/kernel'
import { type LockFile, type LockKind, lockFile } from '@podfabric/kernel-linux/process'

const longestPauseMs = 32
const giveUpMs = 20_000

/**
 * The locks of all processes of this machine that use the file of this path. A name is a place in the file, so that the file stays
 * empty however many names there are; two names that share one, which is unlikely, wait for each other. Dispose it to close the file.
 */
export function fileLocks(path: string, clock: Clock): NodeLocks & Disposable {
  const file = lockFile(path)
  const within = processLocks()
  /** How many in this process share a place: to the system, all of them are one. */
  const sharers = new Map<number, number>()

  const taken = async (name: string, place: number, kind: LockKind, signal?: AbortSignal) => {
    const since = clock.now()
    for (let pause = 1; !file.tryLock(place, kind); pause = Math.min(2 * pause, longestPauseMs)) {
      signal?.throwIfAborted()
      if (clock.now() - since >= giveUpMs) {
        throw new CniError(
          'CNI_TRY_AGAIN_LATER',
          `another process of this node has been at work on ${name} for ${giveUpMs / 1000} s`,
        )
      }
      await new Promise<void>((resolve) => void clock.after(pause, resolve))
    }
  }

  return {
    exclusive(name, work, options = {}) {
      const place = placeOf(name)
      return within.exclusive(String(place), () => held(file, name, place, options.signal, work), options)
    },
    shared(name, work) {
      const place = placeOf(name)
      return within.shared(String(place), async () => {
        await taken(name, place, 'shared')
        sharers.set(place, (sharers.get(place) ?? 0) + 1)
        try {
          return await work()
        } finally {
          const left = (sharers.get(place) ?? 1) - 1
          if (left > 0) sharers.set(place, left)
          else {
            sharers.delete(place)
            file.unlock(place)
          }
        }
      })
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  }

  async function held<T>(
    { unlock }: LockFile,
    name: string,
    place: number,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    await taken(name, place, 'exclusive', signal)
    try {
      return await work()
    } finally {
      unlock(place)
    }
  }
}

/** 53 bits of the name: FNV-1a twice, from two beginnings. */
function placeOf(name: string): number {
  let [low, high] = [2_166_136_261, 3_389_127_133]
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i)
    low = Math.imul(low ^ unit, 16_777_619)
    high = Math.imul(high ^ unit, 16_777_619) ^ (high >>> 15)
  }
  return (high & 0x1f_ffff) * 2 ** 32 + (low >>> 0)
}
