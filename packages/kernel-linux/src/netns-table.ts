import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  statfsSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { KernelError, type Netns, type NetnsEntry, type NetnsTable } from '@podfabric/kernel'
import { checked, fromFileError, negated } from './errno.ts'
import { type HeldNamespace, type HeldNamespaces, hostReference, referenceTo } from './held-namespace.ts'
import { CLONE_NEWNET, inNamespace } from './namespace-window.ts'
import type { Syscalls } from './syscall.ts'

const MS_BIND = 4096
const MNT_DETACH = 2
const NSFS_MAGIC = 0x6e736673

/** The namespaces bound in one directory, as `ip netns` keeps them in /run/netns. */
export function netnsTable(
  sys: Syscalls,
  directory: string,
  spaces: HeldNamespaces,
  hostHeld: HeldNamespace,
): NetnsTable {
  const pathOf = (name: string, operation: string): string => {
    if (!/^[^/\0\n]{1,255}$/.test(name) || name === '.' || name === '..') {
      throw new KernelError('EINVAL', operation, `no name for a namespace: ${JSON.stringify(name)}`)
    }
    return `${directory}/${name}`
  }
  return {
    host: hostReference(hostHeld),
    async create(name) {
      const operation = `ip netns add ${name}`
      const path = pathOf(name, operation)
      return inFiles(operation, () => create(sys, spaces, hostHeld, directory, path, operation))
    },
    async open(path) {
      const operation = `open namespace ${path}`
      return inFiles(operation, () => referenceTo(open(sys, spaces, path, operation), path))
    },
    async delete(name) {
      const operation = `ip netns delete ${name}`
      const path = pathOf(name, operation)
      const result = sys.unmount(path, MNT_DETACH)
      // EINVAL: nothing is mounted there, as after a restart of the machine; the file alone is left.
      if (result < 0 && result !== negated('EINVAL')) checked(result, operation)
      inFiles(operation, () => unlinkSync(path))
    },
    list: async () => inFiles('ip netns list', () => list(directory)),
  }
}

function inFiles<T>(operation: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw fromFileError(error, operation)
  }
}

function create(
  sys: Syscalls,
  spaces: HeldNamespaces,
  host: HeldNamespace,
  directory: string,
  path: string,
  operation: string,
): Netns {
  makeDirectory(directory)
  closeSync(openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_EXCL, 0))
  try {
    // Unsharing moves this thread into the new namespace; leaving the window brings it back.
    const held = inNamespace(sys, host.fd, () => {
      checked(sys.unshare(CLONE_NEWNET), operation)
      checked(sys.mount('/proc/thread-self/ns/net', path, 'none', MS_BIND), operation)
      return spaces.own()
    })
    return referenceTo(held, path)
  } catch (error) {
    sys.unmount(path, MNT_DETACH)
    unlinkSync(path)
    throw error
  }
}

/** One level only: on a path below /proc the runtime's recursive way never comes to an end. */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o755 })
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error
  }
}

/** ENOENT; EINVAL for what is no network namespace. */
export function open(sys: Syscalls, spaces: HeldNamespaces, path: string, operation: string): HeldNamespace {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return spaces.take(fd, () => {
    try {
      inNamespace(sys, fd, () => undefined)
    } catch (error) {
      if (!(error instanceof KernelError) || error.code !== 'EINVAL') throw error
      throw new KernelError('EINVAL', operation, 'it is no network namespace', { cause: error })
    }
  })
}

function list(directory: string): readonly NetnsEntry[] {
  const entries: NetnsEntry[] = []
  for (const name of namesIn(directory)) {
    const path = `${directory}/${name}`
    try {
      if (statfsSync(path).type !== NSFS_MAGIC) continue
      const { dev, ino } = statSync(path, { bigint: true })
      entries.push({ name, path, id: `${dev}:${ino}` })
    } catch (error) {
      // Another process took the name away meanwhile.
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error
    }
  }
  return entries
}

function namesIn(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory, { encoding: 'buffer' })
    return names.toSorted((a, b) => a.compare(b)).map((name) => name.toString())
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
