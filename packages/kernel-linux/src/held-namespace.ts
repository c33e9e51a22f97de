import { closeSync, fstatSync, openSync } from 'node:fs'
import { KernelError, type Netns } from '@podfabric/kernel'
import { checked } from './errno.ts'
import { NetlinkSocket } from './netlink-socket.ts'
import type { Syscalls } from './syscall.ts'

/** The open namespaces of one kernel: each is held once, however often it is opened. */
export class HeldNamespaces {
  readonly #byId = new Map<string, HeldNamespace>()

  /** Takes the descriptor over. What `prove` throws, when it is no namespace, passes through, and the descriptor is closed. */
  take(fd: number, prove: () => void = () => undefined): HeldNamespace {
    try {
      const { dev, ino } = fstatSync(fd, { bigint: true })
      const id = `${dev}:${ino}`
      const known = this.#byId.get(id)
      if (known !== undefined) {
        known.hold()
        closeSync(fd)
        return known
      }
      prove()
      const held = new HeldNamespace(fd, id, () => this.#byId.delete(id))
      this.#byId.set(id, held)
      return held
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** The namespace that the calling thread is in. */
  own(): HeldNamespace {
    return this.take(openSync('/proc/thread-self/ns/net', 'r'))
  }
}

/** An open namespace, shared by the references and handles that hold it, and closed by the last. */
export class HeldNamespace {
  readonly fd: number
  /** Device and inode number. */
  readonly id: string
  #holders = 1
  #netlink: NetlinkSocket | undefined
  readonly #onClosed: () => void

  /** Takes the descriptor over. */
  constructor(fd: number, id: string, onClosed: () => void) {
    this.fd = fd
    this.id = id
    this.#onClosed = onClosed
  }

  /**
   * A socket for rtnetlink that all handles share, opened when it is first asked for: each sends and reads its answers
   * within one turn of the event loop.
   */
  netlink(sys: Syscalls): NetlinkSocket {
    this.#netlink ??= new NetlinkSocket(sys, this.fd)
    return this.#netlink
  }

  /** EBADF when the last holder has let go. */
  hold(): this {
    if (this.#holders === 0) throw new KernelError('EBADF', 'open namespace', 'the reference was disposed')
    this.#holders += 1
    return this
  }

  release(): void {
    checked(this.#holders - 1, 'release a namespace that nobody holds')
    this.#holders -= 1
    if (this.#holders > 0) return
    this.#onClosed()
    this.#netlink?.close()
    closeSync(this.fd)
  }
}

const heldBy = new WeakMap<Netns, HeldNamespace>()

/** A reference that holds `held`, which it takes over, until it is disposed. */
export function referenceTo(held: HeldNamespace, path: string): Netns {
  let disposed = false
  const reference: Netns = {
    id: held.id,
    path,
    async [Symbol.asyncDispose]() {
      if (disposed) return
      disposed = true
      heldBy.delete(reference)
      held.release()
    },
  }
  heldBy.set(reference, held)
  return reference
}

/** The host's reference, which never lets go. */
export function hostReference(held: HeldNamespace): Netns {
  const reference: Netns = { id: held.id, path: '', async [Symbol.asyncDispose]() {} }
  heldBy.set(reference, held)
  return reference
}

/** What a reference holds. EBADF when it was disposed, or comes from another kernel. */
export function heldOf(reference: Netns): HeldNamespace {
  const held = heldBy.get(reference)
  if (held !== undefined) return held
  throw new KernelError('EBADF', `namespace ${reference.path || reference.id}`, 'the reference was disposed')
}
