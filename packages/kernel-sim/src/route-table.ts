import { Ipv4Lpm, Ipv6Lpm, NO_ROUTE } from '@podfabric/netaddr'
import type { Device } from './device.ts'
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

  /** The routes by address, longest prefix first where they begin alike, then by metric. */
  list(): RouteEntry[] {
    return this.#groups.flat().sort((a, b) => {
      for (let i = 0; i < a.octets.length; i++) {
        const difference = (a.octets[i] as number) - (b.octets[i] as number)
        if (difference !== 0) return difference
      }
      return a.length - b.length || a.metric - b.metric
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
  readonly #lpm = new Ipv4Lpm()

  /** `destination` is a signed number. */
  lookup(destination: number, out: Device | undefined): RouteEntry | undefined {
    const match = this.#lpm.lookup(destination)
    if (match === NO_ROUTE) return undefined
    const found = this.choose(match, out)
    if (found !== undefined || out === undefined) return found
    return this.scan(out, (entry) => {
      const mask = entry.length === 0 ? 0 : -1 << (32 - entry.length)
      return ((number4(entry) ^ destination) & mask) === 0
    })
  }

  protected find(entry: RouteEntry): number {
    return this.#lpm.get(number4(entry), entry.length)
  }

  protected set(entry: RouteEntry, group: number): void {
    this.#lpm.set(number4(entry), entry.length, group)
  }

  protected unset(entry: RouteEntry): void {
    this.#lpm.delete(number4(entry), entry.length)
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
      words6(entry)
      for (let w = 0; 32 * w < entry.length; w++) {
        const bits = entry.length - 32 * w
        const mask = bits >= 32 ? -1 : -1 << (32 - bits)
        if ((((scratch[w] as number) ^ (destination[w] as number)) & mask) !== 0) return false
      }
      return true
    })
  }

  protected find(entry: RouteEntry): number {
    return this.#lpm?.get(words6(entry), entry.length) ?? NO_ROUTE
  }

  protected set(entry: RouteEntry, group: number): void {
    this.#lpm ??= new Ipv6Lpm()
    this.#lpm.set(words6(entry), entry.length, group)
  }

  protected unset(entry: RouteEntry): void {
    this.#lpm?.delete(words6(entry), entry.length)
  }
}

const scratch = new Uint32Array(4)

function number4(entry: RouteEntry): number {
  const [a = 0, b = 0, c = 0, d = 0] = entry.octets
  return (a << 24) | (b << 16) | (c << 8) | d
}

function words6({ octets }: RouteEntry): Uint32Array {
  const view = new DataView(octets.buffer)
  for (let w = 0; w < 4; w++) scratch[w] = view.getUint32(4 * w)
  return scratch
}
