import { Ipv6Lpm, NO_ROUTE } from '@podfabric/netaddr'
import type { Device } from './device.ts'
import { Ipv4Prefixes } from './ipv4-prefixes.ts'
import type { RouteEntry } from './route-entry.ts'

/** One routing table of one family: alternatives by prefix, lowest metric first. */
abstract class RouteTable {
  /** Alternatives by the number that the prefix table holds. */
  readonly #groups: RouteEntry[][] = []
  readonly #free: number[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  protected abstract readonly family: 4 | 6
  protected abstract find(entry: RouteEntry): number
  protected abstract set(entry: RouteEntry, group: number): void
  protected abstract unset(entry: RouteEntry): void

  /** All routes to exactly this one's destination, lowest metric first. */
  alternatives(entry: RouteEntry): readonly RouteEntry[] {
    const at = this.find(entry)
    return at === NO_ROUTE ? [] : (this.#groups[at] ?? [])
  }

  /** Adds behind those of the same metric. */
  add(entry: RouteEntry): void {
    const at = this.find(entry)
    if (at === NO_ROUTE) {
      const group = this.#free.pop() ?? this.#groups.length
      this.#groups[group] = [entry]
      this.set(entry, group)
    } else {
      const group = this.#groups[at] as RouteEntry[]
      const place = group.findIndex(({ metric }) => metric > entry.metric)
      group.splice(place < 0 ? group.length : place, 0, entry)
    }
    this.#size++
    entry.device?.routes.add(entry)
  }

  delete(entry: RouteEntry): void {
    const at = this.find(entry)
    const group = this.#groups[at] as RouteEntry[]
    group.splice(group.indexOf(entry), 1)
    this.#size--
    entry.device?.routes.delete(entry)
    if (group.length > 0) return
    this.unset(entry)
    this.#groups[at] = []
    this.#free.push(at)
  }

  /** The routes in no order; a list of its own. */
  entries(): RouteEntry[] {
    return this.#groups.flat()
  }

  /** The routes by address, longest prefix first where they begin alike, then by metric. */
  list(): RouteEntry[] {
    return this.entries().sort((a, b) => {
      return compareNetworks(a, b) || a.length - b.length || a.metric - b.metric
    })
  }

  /** The best of the alternatives that `match` found; with `out`, of those that lead out there. */
  protected choose(match: number, out: Device | undefined): RouteEntry | undefined {
    const group = this.#groups[match] as RouteEntry[]
    if (out === undefined) return group[0]
    return group.find(({ device }) => device === out)
  }

  /** As `choose` over all prefixes, longest first, that `contains` accepts. For look-ups with a link given. */
  protected scan(out: Device, contains: (entry: RouteEntry) => boolean): RouteEntry | undefined {
    let best: RouteEntry | undefined
    for (const entry of out.routes) {
      if (entry.family !== this.family || !this.#has(entry) || !contains(entry)) continue
      if (best === undefined || entry.length > best.length) best = entry
      else if (entry.length === best.length && entry.metric < best.metric) best = entry
    }
    return best
  }

  #has(entry: RouteEntry): boolean {
    const at = this.find(entry)
    return at !== NO_ROUTE && (this.#groups[at] as RouteEntry[]).includes(entry)
  }
}

export class RouteTable4 extends RouteTable {
  protected readonly family = 4
  readonly #lpm = new Ipv4Prefixes()

  /** `destination` is a signed number. */
  lookup(destination: number, out: Device | undefined): RouteEntry | undefined {
    const match = this.#lpm.lookup(destination)
    if (match === NO_ROUTE) return undefined
    const found = this.choose(match, out)
    if (found !== undefined || out === undefined) return found
    return this.scan(out, (entry) => {
      const mask = entry.length === 0 ? 0 : -1 << (32 - entry.length)
      return ((entry.network4 ^ destination) & mask) === 0
    })
  }

  protected find(entry: RouteEntry): number {
    return this.#lpm.get(entry.network4, entry.length)
  }

  protected set(entry: RouteEntry, group: number): void {
    this.#lpm.set(entry.network4, entry.length, group)
  }

  protected unset(entry: RouteEntry): void {
    this.#lpm.delete(entry.network4, entry.length)
  }
}

export class RouteTable6 extends RouteTable {
  protected readonly family = 6
  /** Made with the first route: very many namespaces have none. */
  #lpm: Ipv6Lpm | undefined

  lookup(destination: Uint32Array, out: Device | undefined): RouteEntry | undefined {
    const match = this.#lpm?.lookupWords(destination) ?? NO_ROUTE
    if (match === NO_ROUTE) return undefined
    const found = this.choose(match, out)
    if (found !== undefined || out === undefined) return found
    return this.scan(out, (entry) => {
      for (let w = 0; 32 * w < entry.length; w++) {
        const bits = entry.length - 32 * w
        const mask = bits >= 32 ? -1 : -1 << (32 - bits)
        if ((((entry.network6[w] as number) ^ (destination[w] as number)) & mask) !== 0) return false
      }
      return true
    })
  }

  protected find(entry: RouteEntry): number {
    return this.#lpm?.get(entry.network6, entry.length) ?? NO_ROUTE
  }

  protected set(entry: RouteEntry, group: number): void {
    this.#lpm ??= new Ipv6Lpm()
    this.#lpm.set(entry.network6, entry.length, group)
  }

  protected unset(entry: RouteEntry): void {
    this.#lpm?.delete(entry.network6, entry.length)
  }
}

function compareNetworks(a: RouteEntry, b: RouteEntry): number {
  const difference = (a.network4 >>> 0) - (b.network4 >>> 0)
  if (difference !== 0) return difference
  for (let w = 0; w < 4; w++) {
    const apart = (a.network6[w] as number) - (b.network6[w] as number)
    if (apart !== 0) return apart
  }
  return 0
}
