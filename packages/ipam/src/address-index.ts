import { type Ip, isIp } from '@podfabric/netaddr'
import type { Store, WatchEvent } from '@podfabric/store'
import { FreeMap } from './free-map.ts'
import type { ResolvedPool } from './pool.ts'

/** Where the addresses in use stand in the store; the rest of the key is the address. */
export const addressPrefix = 'addresses/'

/** What the store has said last about a position. */
interface Report {
  readonly taken: boolean
  readonly revision: number
}

/** What the index knows about one pool. */
interface PoolState {
  readonly pool: ResolvedPool
  taken: FreeMap
  /** Taken addresses of the pool that have no position. */
  beyond: Set<Ip>
  /** Positions that are being tried. They are taken until that is settled, and what the store reports is put by. */
  readonly pending: Map<number, Report | undefined>
  /** The next search begins here. */
  next: number
}

/**
 * What is taken, in memory, so that an allocation need not read the store to find a free address. It follows the store
 * by a watch and is a hint only: it may be late, and what it says is proven by compare-and-swap. It never stays wrong,
 * because whatever the watch has not reported yet it will.
 */
export class AddressIndex {
  readonly #store: Store
  readonly #states: readonly PoolState[]
  readonly #ending = new AbortController()
  /** Everything up to this revision is in the index. */
  #revision = 0
  /** The latest revision at which something was seen to be taken before the watch reported it. */
  #newest = 0
  #failure: { readonly error: unknown } | undefined
  #reading: Promise<void> | undefined
  #readingNext: Promise<void> | undefined
  #settled: (() => void)[] = []

  constructor(store: Store, pools: readonly ResolvedPool[]) {
    this.#store = store
    this.#states = pools.map((pool) => ({
      pool,
      taken: new FreeMap(pool.space.positions),
      beyond: new Set(),
      pending: new Map(),
      next: 0,
    }))
  }

  /** Follows the store; resolves once the index is filled. */
  async start(): Promise<void> {
    const watch = this.#store.watch(addressPrefix, { signal: this.#ending.signal })
    for (let filled = false; !filled; ) {
      const { done, value } = await watch.next()
      if (done) return
      this.#apply(value)
      filled = value.kind === 'snapshot'
    }
    this.#follow(watch).catch((error: unknown) => {
      this.#failure = { error }
    })
  }

  /** Stops following the store. */
  stop(): void {
    this.#ending.abort()
  }

  /** Throws what ended the watch, if anything did. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Takes the next free position of a pool, round robin; -1 when none is known to be free. */
  pick(pool: number): number {
    const state = this.#state(pool)
    const position = state.taken.nextFree(state.next)
    if (position < 0) return -1
    state.taken.take(position)
    state.pending.set(position, undefined)
    state.next = position + 1
    return position
  }

  /** The address tried is allocated, since this revision. */
  keep(pool: number, position: number, revision: number): void {
    const state = this.#state(pool)
    const report = state.pending.get(position)
    this.#settle(state, position, report === undefined || report.revision < revision || report.taken)
    this.#newest = Math.max(this.#newest, revision)
  }

  /** The address tried is not allocated to who tried it; `takenAt` is when somebody else was seen to have it. */
  giveUp(pool: number, position: number, takenAt: number | undefined): void {
    const state = this.#state(pool)
    this.#settle(state, position, state.pending.get(position)?.taken ?? takenAt !== undefined)
    this.#newest = Math.max(this.#newest, takenAt ?? 0)
  }

  /**
   * Whether all that the index holds to be taken was so at one and the same revision. Only then does a pool without a free
   * address mean that it was full at some moment.
   */
  isOfOneMoment(): boolean {
    return this.#newest <= this.#revision
  }

  /** An address was released, at this revision. */
  release(ip: Ip, revision: number): void {
    if (revision > this.#revision) this.#mark(ip, false, revision)
  }

  /** Goes on after this address, which was the last given. */
  resumeAfter(pool: number, ip: Ip): void {
    const state = this.#state(pool)
    state.next = state.pool.space.positionOf(ip) + 1
  }

  /** Resolves when an address of this pool that is being tried now is no longer; undefined when none is. */
  untilSettled(pool: number): Promise<void> | undefined {
    if (this.#state(pool).pending.size === 0) return undefined
    return new Promise((resolve) => this.#settled.push(resolve))
  }

  /** Reads everything from the store again; those who ask while it is being read share the next reading. */
  async reread(): Promise<void> {
    if (this.#reading === undefined) {
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined
      })
      return this.#reading
    }
    const before = this.#reading
    this.#readingNext ??= before
      .catch(() => {})
      .then(() => {
        this.#readingNext = undefined
        return this.reread()
      })
    return this.#readingNext
  }

  /** How many addresses of a pool are allocated, as far as is known. */
  allocated(pool: number): number {
    const { taken, beyond, pending } = this.#state(pool)
    let trying = 0
    for (const report of pending.values()) if (report?.taken !== true) trying++
    return taken.taken - trying + beyond.size
  }

  async #follow(watch: AsyncIterableIterator<WatchEvent>): Promise<void> {
    for await (const event of watch) this.#apply(event)
  }

  async #read(): Promise<void> {
    const { revision, entries } = await this.#store.list(addressPrefix)
    if (revision >= this.#revision) this.#replace(revision, entries)
  }

  #apply(event: WatchEvent): void {
    if (event.kind === 'lag') return
    if (event.kind === 'snapshot') {
      this.#replace(event.revision, event.entries)
      return
    }
    // What was read at a later revision holds already.
    if (event.revision <= this.#revision) return
    for (const { key, type } of event.changes) this.#markKey(key, type === 'put', event.revision)
    this.#revision = event.revision
  }

  #replace(revision: number, entries: readonly { readonly key: string }[]): void {
    this.#revision = revision
    for (const state of this.#states) {
      state.taken = new FreeMap(state.pool.space.positions)
      state.beyond = new Set()
      for (const position of state.pending.keys()) {
        state.taken.take(position)
        state.pending.set(position, { taken: false, revision })
      }
    }
    for (const { key } of entries) this.#markKey(key, true, revision)
  }

  #markKey(key: string, taken: boolean, revision: number): void {
    const ip = key.slice(addressPrefix.length)
    if (isIp(ip)) this.#mark(ip, taken, revision)
  }

  #mark(ip: Ip, taken: boolean, revision: number): void {
    for (const state of this.#states) {
      const position = state.pool.space.positionOf(ip)
      if (position >= 0) {
        if (state.pending.has(position)) state.pending.set(position, { taken, revision })
        else if (taken) state.taken.take(position)
        else state.taken.release(position)
      } else if (state.pool.space.has(ip)) {
        if (taken) state.beyond.add(ip)
        else state.beyond.delete(ip)
      }
    }
  }

  #settle(state: PoolState, position: number, taken: boolean): void {
    state.pending.delete(position)
    if (!taken) state.taken.release(position)
    for (const resolve of this.#settled.splice(0)) resolve()
  }

  #state(pool: number): PoolState {
    const state = this.#states[pool]
    if (state === undefined) throw new RangeError(`there is no pool number ${pool}`)
    return state
  }
}
