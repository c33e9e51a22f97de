import { openSync } from 'node:fs'
import { checked } from './errno.ts'
import type { Syscalls } from './syscall.ts'

export const CLONE_NEWNET = 0x40000000

let home: number | undefined

/**
 * Runs `act` with the calling thread in the network namespace that `fd` names, and comes back. Sockets, files
 * below /proc/sys and children that it opens belong there for good. It is synchronous for a reason: whatever
 * else runs on this thread meanwhile would be in the wrong namespace. EPERM.
 */
export function inNamespace<T>(sys: Syscalls, fd: number, act: () => Awaited<T> & T): T {
  home ??= openSync('/proc/thread-self/ns/net', 'r')
  checked(sys.setns(fd, CLONE_NEWNET), 'setns')
  try {
    return act()
  } finally {
    checked(sys.setns(home, CLONE_NEWNET), 'setns back to the own namespace')
  }
}
