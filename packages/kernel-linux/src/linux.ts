import {
  type Clock,
  type Kernel,
  KernelError,
  type Namespace,
  systemClock,
  tablesOver,
} from '@podfabric/kernel'
import { linuxAvailable } from './availability.ts'
import { captureOn } from './capture.ts'
import { changesIn } from './changes.ts'
import { conntrackIn } from './conntrack.ts'
import { fromFileError } from './errno.ts'
import { type HeldNamespace, HeldNamespaces, heldOf } from './held-namespace.ts'
import { koffiSyscalls } from './koffi-syscalls.ts'
import { LinkRemovals } from './link-removal.ts'
import { netnsTable, open } from './netns-table.ts'
import { NetworkTables } from './network-tables.ts'
import { socketsIn } from './sockets.ts'
import type { Syscalls } from './syscall.ts'

export interface LinuxOptions {
  /** Path of the namespace that counts as the host's. Default: the one that the process is in. */
  readonly host?: string
  /** Where named namespaces are bound; made when needed, in a folder that exists. Default `/run/netns`, as `ip netns`. */
  readonly directory?: string
  /**
   * How many links, or groups of links, may be in deletion at once: each keeps one thread of Node's pool waiting in the kernel
   * for some 20 ms. Default 3, of the four that Node has; more, with `UV_THREADPOOL_SIZE` set to more than that, makes
   * deletions one after the other faster.
   */
  readonly deletions?: number
  /** For the timeouts of echoes. Default: the machine's. */
  readonly clock?: Clock
}

/**
 * Dispose it to let go of the host's namespace; handles and references that are open go on. It waits, some 20 ms, for
 * the kernel to be done with links that were deleted.
 */
export type LinuxKernel = Kernel & AsyncDisposable

/**
 * The Linux kernel of this machine. Needs CAP_NET_ADMIN and CAP_NET_RAW, and to bind namespaces CAP_SYS_ADMIN:
 * root, or a user namespace. EOPNOTSUPP where it cannot work at all, with the reason; ENOENT or EINVAL for a
 * bad `host`. Several may be open at once, each for a node of its own.
 */
export function linux(options: LinuxOptions = {}): LinuxKernel {
  const { host, directory = '/run/netns', deletions = 3, clock = systemClock } = options
  if (!Number.isInteger(deletions) || deletions < 1) {
    throw new RangeError(`deletions: expected a whole number from 1 on, got ${deletions}`)
  }
  const availability = linuxAvailable()
  if (!availability.available) throw new KernelError('EOPNOTSUPP', 'linux', availability.reason)
  const sys = koffiSyscalls()
  const spaces = new HeldNamespaces()
  const held = hostNamespace(sys, spaces, host)
  const removals = new LinkRemovals(sys, deletions)
  let disposed = false
  return {
    netns: netnsTable(sys, directory, spaces, held),
    in: (netns) => namespaceIn(sys, clock, heldOf(netns).hold(), removals),
    async [Symbol.asyncDispose]() {
      if (disposed) return
      disposed = true
      held.release()
      await removals.idle()
    },
  }
}

function hostNamespace(sys: Syscalls, spaces: HeldNamespaces, path: string | undefined): HeldNamespace {
  if (path === undefined) return spaces.own()
  const operation = `open namespace ${path}`
  try {
    return open(sys, spaces, path, operation)
  } catch (error) {
    throw fromFileError(error, operation)
  }
}

/** Takes `held` over. */
function namespaceIn(sys: Syscalls, clock: Clock, held: HeldNamespace, removals: LinkRemovals): Namespace {
  const tables = new NetworkTables(sys, held, removals)
  let disposed = false
  const fd = (): number => {
    if (disposed) throw new KernelError('EBADF', 'namespace', 'the handle was disposed')
    return held.fd
  }
  return {
    ...tablesOver(tables),
    conntrack: conntrackIn(sys, fd),
    sockets: socketsIn(sys, clock, fd),
    capture: async (link) => captureOn(sys, fd(), link, (await tables.link(link)).index),
    changes: (options = {}) => changesIn(sys, fd(), options.signal),
    async [Symbol.asyncDispose]() {
      if (disposed) return
      disposed = true
      tables.close()
      held.release()
    },
  }
}
