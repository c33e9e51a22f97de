import {
  type Kernel,
  KernelError,
  type Namespace,
  type Netns,
  type NetnsEntry,
  type NetnsTable,
} from '@podfabric/kernel'
import { deleteLinksOf } from './link-removal.ts'
import { namespaceHandle } from './namespace-handle.ts'
import { NetworkNamespace } from './network-namespace.ts'
import type { Simulation } from './simulation.ts'

/** Where names are bound, as iproute2 has it. */
const DIRECTORY = '/run/netns'
/** Paths of the namespace that the node itself lives in. */
const HOST_PATHS: ReadonlySet<string> = new Set(['/proc/1/ns/net', '/proc/self/ns/net'])
const NAME_LIMIT = 255

/** One node: a kernel with namespaces of its own. */
export class SimulatedNode implements Kernel {
  readonly name: string
  readonly netns: NetnsTable
  readonly host: NetworkNamespace
  readonly #simulation: Simulation
  readonly #names = new Map<string, NetworkNamespace>()
  readonly #alive = new Set<NetworkNamespace>()
  readonly #behind = new WeakMap<Netns, NetworkNamespace>()

  constructor(simulation: Simulation, name: string) {
    this.#simulation = simulation
    this.name = name
    this.host = this.#make('', '')
    this.host.named()
    this.host.loopback.setUp(true)
    this.netns = this.#table()
  }

  #make(name: string, path: string): NetworkNamespace {
    const netns = new NetworkNamespace(this.#simulation, { node: this.name, name, path }, (gone) => {
      this.#alive.delete(gone)
      deleteLinksOf(gone, this.host)
    })
    this.#alive.add(netns)
    return netns
  }

  in(netns: Netns): Namespace {
    return namespaceHandle(this.#resolve(netns), (other) => this.#resolve(other))
  }

  #resolve(reference: Netns): NetworkNamespace {
    const known = this.#behind.get(reference) ?? [...this.#alive].find(({ id }) => id === reference.id)
    if (known === undefined || !this.#alive.has(known)) {
      throw new KernelError(
        'EBADF',
        `netns ${reference.path}`,
        `no such namespace lives on node ${this.name}`,
      )
    }
    return known
  }

  #table(): NetnsTable {
    const host: Netns = { id: this.host.id, path: '', async [Symbol.asyncDispose]() {} }
    this.#behind.set(host, this.host)
    return {
      host,
      create: async (name) => this.#create(name),
      open: async (path) => this.#open(path),
      delete: async (name) => this.#delete(name),
      list: async () => this.#list(),
    }
  }

  #create(name: string): Netns {
    const operation = `ip netns add ${name}`
    const octets = new TextEncoder().encode(name).length
    if (octets === 0 || octets > NAME_LIMIT || name === '.' || name === '..' || /[/\0]/.test(name)) {
      throw new KernelError('EINVAL', operation, `${JSON.stringify(name)} is no name of a namespace`)
    }
    if (this.#names.has(name)) throw new KernelError('EEXIST', operation, 'the name is bound already')
    const netns = this.#make(name, `${DIRECTORY}/${name}`)
    netns.named()
    this.#names.set(name, netns)
    return this.#reference(netns)
  }

  #open(path: string): Netns {
    const operation = `open ${path}`
    if (HOST_PATHS.has(path)) return this.#reference(this.host)
    const plain = path.replace(/^\/var\/run\//, '/run/')
    if (plain === DIRECTORY || plain === '/' || plain === '/run') {
      throw new KernelError('EINVAL', operation, 'it is no namespace')
    }
    const netns = plain.startsWith(`${DIRECTORY}/`)
      ? this.#names.get(plain.slice(DIRECTORY.length + 1))
      : undefined
    if (netns === undefined) throw new KernelError('ENOENT', operation, 'nothing is bound there')
    return this.#reference(netns)
  }

  /** A reference that keeps the namespace until it is disposed. */
  #reference(netns: NetworkNamespace): Netns {
    let held = true
    netns.hold()
    const reference: Netns = {
      id: netns.id,
      path: netns.path,
      [Symbol.asyncDispose]: async () => {
        if (!held) return
        held = false
        netns.release()
        this.#simulation.run()
      },
    }
    this.#behind.set(reference, netns)
    return reference
  }

  #delete(name: string): void {
    const netns = this.#names.get(name)
    if (netns === undefined)
      throw new KernelError('ENOENT', `ip netns delete ${name}`, 'no such name is bound')
    this.#names.delete(name)
    netns.unnamed()
    this.#simulation.run()
  }

  #list(): NetnsEntry[] {
    return [...this.#names]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { path, id }]) => ({ name, path, id }))
  }

  /** The node fails for good: everything on it is gone at once. */
  destroy(): void {
    for (const netns of [...this.#alive]) if (netns !== this.host) netns.destroy()
    this.#names.clear()
    this.host.destroy()
  }
}
