import type { DropReason } from '@podfabric/trace'
import type { Device } from './device.ts'
import type { Ipv6Address } from './ipv6-address.ts'
import { Ipv6Map } from './ipv6-map.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { same16 } from './octets.ts'
import { type RouteEntry, TABLE_LOCAL, TABLE_MAIN } from './route-entry.ts'
import { RouteTable6 } from './route-table.ts'
import { defaultRules, type RuleEntry, type RuleQuery } from './rule-entry.ts'

const MTU_EXPIRES = 600_000
/** RFC 8200 section 5: no link carries less. */
const LEAST_MTU = 1280

const DEFAULT_RULES: readonly RuleEntry[] = defaultRules(6)
const query: RuleQuery = {
  source: new Uint8Array(16),
  destination: new Uint8Array(16),
  mark: 0,
  input: '',
  output: '',
}

/** IPv6 routing of one namespace. Destinations are four words, sources sixteen octets. */
export class Ipv6Routing {
  readonly #netns: NetworkNamespace
  readonly tables = new Map<number, RouteTable6>()
  #rules: readonly RuleEntry[] = DEFAULT_RULES
  #plain = true
  readonly #local = new RouteTable6()
  readonly #main = new RouteTable6()
  #pathMtus: Ipv6Map<{ readonly mtu: number; readonly until: number }> | undefined

  constructor(netns: NetworkNamespace) {
    this.#netns = netns
    this.tables.set(TABLE_LOCAL, this.#local)
    this.tables.set(TABLE_MAIN, this.#main)
  }

  get rules(): readonly RuleEntry[] {
    return this.#rules
  }

  set rules(rules: readonly RuleEntry[]) {
    this.#rules = [...rules]
    const plain = DEFAULT_RULES
    this.#plain =
      rules.length === plain.length &&
      rules.every(({ row }, i) => JSON.stringify(row) === JSON.stringify(plain[i]?.row))
  }

  table(id: number): RouteTable6 {
    const known = this.tables.get(id)
    if (known !== undefined) return known
    const table = new RouteTable6()
    this.tables.set(id, table)
    return table
  }

  output(
    destination: Uint32Array,
    source: Uint8Array,
    mark: number,
    out: Device | undefined,
  ): RouteEntry | undefined {
    if (this.#plain) return this.#lookupPlain(destination, out)
    return this.#lookup(destination, source, mark, 'lo', out)
  }

  input(destination: Uint32Array, source: Uint8Array, mark: number, device: Device): RouteEntry | undefined {
    if (this.#plain) return this.#lookupPlain(destination, undefined)
    return this.#lookup(destination, source, mark, device.name, undefined)
  }

  #lookupPlain(destination: Uint32Array, out: Device | undefined): RouteEntry | undefined {
    const local = this.#local.lookup(destination, out)
    if (local !== undefined && local.type !== 'throw') return local
    const main = this.#main.lookup(destination, out)
    return main?.type === 'throw' ? undefined : main
  }

  #lookup(
    destination: Uint32Array,
    source: Uint8Array,
    mark: number,
    input: string,
    out: Device | undefined,
  ): RouteEntry | undefined {
    query.source.set(source)
    const view = new DataView(query.destination.buffer)
    for (let w = 0; w < 4; w++) view.setUint32(4 * w, destination[w] as number)
    query.mark = mark
    query.input = input
    query.output = out?.name ?? ''
    for (const rule of this.#rules) {
      if (!rule.matches(query)) continue
      if (rule.verdict !== undefined) return rule.verdict
      const found = this.tables.get(rule.table)?.lookup(destination, out)
      if (found !== undefined && found.type !== 'throw') return found
    }
    return undefined
  }

  /** Whether an address of this namespace may be used: it is there and not tentative. */
  isUsable(octets: Uint8Array): boolean {
    return this.#own(octets, 0)?.tentative === false
  }

  /** The device and entry that have the address at `bytes[at]`. */
  #own(bytes: Uint8Array, at: number): Ipv6Address | undefined {
    for (const device of this.#netns.links()) {
      const own = ownOn(device, bytes, at)
      if (own !== undefined) return own
    }
    return undefined
  }

  /** Why a packet with this source may not come in by the device. */
  sourceProblem(
    device: Device,
    bytes: Uint8Array,
    at: number,
  ): Extract<DropReason, 'SOURCE_INVALID'> | undefined {
    if (device.kind === 'loopback') return undefined
    if (bytes[at] === 0xff || isLoopbackAt(bytes, at) || isLoopbackAt(bytes, at + 16)) return 'SOURCE_INVALID'
    return undefined
  }

  /**
   * The source of a packet that starts here and takes the route: RFC 6724 section 5 by rules 1 (the destination
   * itself), 2 (scope), 3 (no tentative ones), 5 (addresses of the outgoing link) and 8 (longest match).
   */
  sourceFor(route: RouteEntry, destination: Uint8Array): Uint8Array | undefined {
    if (route.source6 !== undefined) return route.source6
    if (route.type === 'local') return destination
    const out = route.device
    if (out === undefined) return undefined
    return this.selectSource(out, destination)
  }

  selectSource(out: Device, destination: Uint8Array): Uint8Array | undefined {
    const scope = scopeOf(destination)
    const near = best(out.addresses6, destination, scope)
    if (near !== undefined && (scope === 'link' || near.scope === 'global')) return near.octets
    if (scope === 'link') return undefined
    const others = this.#netns.links().flatMap((device) => (device === out ? [] : device.addresses6))
    return (
      best(
        others.filter((address) => address.scope === 'global'),
        destination,
        scope,
      ) ?? near
    )?.octets
  }

  mtuTo(destination: Uint32Array, route: RouteEntry): number {
    const mtu = route.type === 'local' ? this.#netns.loopback.mtu : route.pathMtu
    const known = this.#pathMtus?.get(destination)
    if (known === undefined || known.until <= this.#netns.simulation.clock.now()) return mtu
    return Math.min(known.mtu, mtu)
  }

  learnMtu(destination: Uint32Array, mtu: number): void {
    const until = this.#netns.simulation.clock.now() + MTU_EXPIRES
    this.#pathMtus ??= new Ipv6Map()
    this.#pathMtus.set(destination, { mtu: Math.max(mtu, LEAST_MTU), until })
  }

  /** Routes changed: what was learned about paths may be wrong now. */
  routesChanged(): void {
    this.#pathMtus = undefined
  }
}

/** The device's own address at `bytes[at]`, tentative or not. */
export function ownOn(device: Device, bytes: Uint8Array, at: number): Ipv6Address | undefined {
  for (const address of device.addresses6) if (same16(address.octets, 0, bytes, at)) return address
  return undefined
}

export function isLinkLocalAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xfe && ((bytes[at + 1] as number) & 0xc0) === 0x80
}

function isLoopbackAt(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 15] !== 1) return false
  for (let i = 0; i < 15; i++) if (bytes[at + i] !== 0) return false
  return true
}

function scopeOf(address: Uint8Array): 'link' | 'global' {
  if (address[0] === 0xff) return ((address[1] as number) & 15) <= 2 ? 'link' : 'global'
  return isLinkLocalAt(address, 0) ? 'link' : 'global'
}

function best(
  candidates: readonly Ipv6Address[],
  destination: Uint8Array,
  scope: 'link' | 'global',
): Ipv6Address | undefined {
  let found: Ipv6Address | undefined
  let foundBits = -1
  for (const candidate of candidates) {
    if (candidate.tentative || candidate.scope === 'host') continue
    const fits = candidate.scope === scope ? 1000 : 0
    const bits = fits + commonBits(candidate.octets, destination)
    if (bits > foundBits) {
      found = candidate
      foundBits = bits
    }
  }
  return found
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 16; i++) {
    const difference = (a[i] as number) ^ (b[i] as number)
    if (difference !== 0) return 8 * i + Math.clz32(difference) - 24
  }
  return 128
}
