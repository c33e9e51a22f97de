import assert from 'node:assert/strict'
import { ifAddress, ip, prefix } from '@podfabric/netaddr'
import type { Clock } from '../clock.ts'
import type { Kernel } from '../kernel.ts'
import type { Namespace } from '../namespace.ts'
import type { Netns } from '../netns.ts'
import type { Operation } from '../operation.ts'
import type { EchoOutcome, EchoRequest } from '../sockets.ts'
import type { Feature, Lab } from './lab.ts'

/** A case before it is bound to a lab. */
export interface CaseBody {
  readonly name: string
  readonly requires?: readonly Feature[]
  run(bed: Bed): Promise<void>
}

/** One namespace in hand. */
export interface Place {
  readonly netns: Netns
  readonly at: Namespace
}

/** A node: its kernel, and its host namespace in hand. */
export interface Node extends Place {
  readonly kernel: Kernel
}

/** What a case works in. Everything opened through it is closed behind it, last first. */
export class Bed {
  readonly clock: Clock
  readonly #lab: Lab
  readonly #kept: AsyncDisposable[] = []

  constructor(lab: Lab) {
    this.clock = lab.clock
    this.#lab = lab
  }

  async nodes(count: number): Promise<readonly Node[]> {
    const kernels = await this.#lab.nodes(count)
    return kernels.map((kernel) => {
      const netns = kernel.netns.host
      return { kernel, netns, at: this.keep(kernel.in(netns)) }
    })
  }

  async node(): Promise<Node> {
    const [node] = await this.nodes(1)
    assert(node !== undefined, 'the lab gave no node')
    return node
  }

  async namespace(node: Node, name: string): Promise<Place> {
    const netns = this.keep(await node.kernel.netns.create(name))
    return { netns, at: this.keep(node.kernel.in(netns)) }
  }

  keep<T extends AsyncDisposable>(disposable: T): T {
    this.#kept.push(disposable)
    return disposable
  }

  /** Awaits something that must come within `limit` milliseconds of the lab's clock. */
  async within<T>(what: string, wait: (signal: AbortSignal) => Promise<T>, limit = 5000): Promise<T> {
    const deadline = new AbortController()
    const timer = this.clock.after(limit, () =>
      deadline.abort(new Error(`waited ${limit} ms in vain for ${what}`)),
    )
    try {
      return await wait(deadline.signal)
    } finally {
      timer[Symbol.dispose]()
    }
  }

  async close(): Promise<void> {
    const errors: unknown[] = []
    const attempt = async (close: () => PromiseLike<void>) => {
      try {
        await close()
      } catch (error) {
        errors.push(error)
      }
    }
    for (const kept of this.#kept.toReversed()) await attempt(() => kept[Symbol.asyncDispose]())
    await attempt(() => this.#lab.close())
    if (errors.length > 0) throw new AggregateError(errors, 'the lab could not be cleared')
  }
}

/** Applies all operations and throws the first error. */
export async function must(namespace: Namespace, ...operations: readonly Operation[]): Promise<void> {
  for (const outcome of await namespace.apply(operations)) if (!outcome.ok) throw outcome.error
}

/** The promise must reject with this errno. */
export async function refuses(code: string, promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(
    () => 'it was accepted',
    (error: unknown) => error,
  )
  if (outcome instanceof Error && 'code' in outcome) {
    assert.equal(outcome.code, code, outcome.message)
    return
  }
  assert.fail(`expected ${code}, but ${String(outcome)}`)
}

/** Sets a link up, and gives it addresses: IPv6 ones usable at once. */
export function dress(link: string, ...addresses: readonly string[]): readonly Operation[] {
  return [
    { op: 'link.set', name: link, change: { up: true } },
    ...addresses.map((text): Operation => {
      const address = ifAddress(text)
      const row = text.includes(':') ? { link, address, noDad: true } : { link, address }
      return { op: 'address.add', address: row }
    }),
  ]
}

export function route(destination: string, gateway: string): Operation {
  return { op: 'route.add', route: { destination: prefix(destination), gateway: ip(gateway) } }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(data: Uint8Array | undefined): string {
  return data === undefined ? '' : new TextDecoder().decode(data)
}

/** An echo with the patience that a link which just came up may need. */
export function ping(
  place: Place,
  destination: string,
  request: Partial<EchoRequest> = {},
): Promise<EchoOutcome> {
  return place.at.sockets.echo({ timeout: 6000, ...request, destination: ip(destination) })
}
