import type { DropReason } from '@podfabric/trace'
import type { Device } from './device.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { type RouteEntry, TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN } from './route-entry.ts'
import { RouteTable4 } from './route-table.ts'
import { defaultRules, type RuleEntry, type RuleQuery } from './rule-entry.ts'

/** How long a path MTU is remembered: net.ipv4.route.mtu_expires. */
const MTU_EXPIRES = 600_000
const LEAST_MTU = 68

const DEFAULT_RULES: readonly RuleEntry[] = defaultRules(4)
const query: RuleQuery = {
  source: new Uint8Array(4),
  destination: new Uint8Array(4),
  mark: 0,
  input: '',
  output: '',
}

/** IPv4 routing of one namespace: tables, rules, own addresses, path MTUs. Addresses are signed 32-bit numbers. */
export class Ipv4Routing {
  readonly #netns: NetworkNamespace
  readonly tables = new Map<number, RouteTable4>()
  #rules: readonly RuleEntry[] = DEFAULT_RULES
  /** Only the rules of the beginning are there: local, main, default are asked in turn. */
  #plain = true
  readonly #local = new RouteTable4()
  readonly #main = new RouteTable4()
  // The last answer: a pod's own address, the next packet of the same flow.
  #lastDestination = 0
  #lastOut: Device | undefined
  #lastRoute: RouteEntry | undefined
  /** How often each own address is there. */
  readonly #own = new Map<number, number>()
  #pathMtus: Map<number, { readonly mtu: number; readonly until: number }> | undefined

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
      rules.length === plain.length && rules.every(({ row }, i) => sameRule(row, (plain[i] as RuleEntry).row))
  }

  table(id: number): RouteTable4 {
    const known = this.tables.get(id)
    if (known !== undefined) return known
    const table = new RouteTable4()
    this.tables.set(id, table)
    return table
  }

  /** The route of a packet that starts here. `out` binds it to a link. */
  output(destination: number, source: number, mark: number, out: Device | undefined): RouteEntry | undefined {
    if (this.#plain) return this.#lookupPlain(destination, out)
    return this.#lookup(destination, source, mark, 'lo', out)
  }

  /** The route of a packet that came in by a link. */
  input(destination: number, source: number, mark: number, device: Device): RouteEntry | undefined {
    if (this.#plain) return this.#lookupPlain(destination, undefined)
    return this.#lookup(destination, source, mark, device.name, undefined)
  }

  #lookupPlain(destination: number, out: Device | undefined): RouteEntry | undefined {
    if (this.#lastRoute !== undefined && destination === this.#lastDestination && out === this.#lastOut) {
      return this.#lastRoute
    }
    const found = this.#search(destination, out)
    this.#lastRoute = found
    this.#lastDestination = destination
    this.#lastOut = out
    return found
  }

  #search(destination: number, out: Device | undefined): RouteEntry | undefined {
    const local = this.#local.lookup(destination, out)
    if (local !== undefined && local.type !== 'throw') return local
    const main = this.#main.lookup(destination, out)
    if (main !== undefined && main.type !== 'throw') return main
    const last = this.tables.get(TABLE_DEFAULT)?.lookup(destination, out)
    return last?.type === 'throw' ? undefined : last
  }

  #lookup(
    destination: number,
    source: number,
    mark: number,
    input: string,
    out: Device | undefined,
  ): RouteEntry | undefined {
    write4(query.source, source)
    write4(query.destination, destination)
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

  /** Only the table `local`, whatever the rules: is it an address of this namespace? */
  isLocal(address: number): boolean {
    return this.#local.lookup(address, undefined)?.type === 'local'
  }

  addOwn(address: number): void {
    this.#own.set(address, (this.#own.get(address) ?? 0) + 1)
  }

  /** Whether that was the last link with the address. */
  deleteOwn(address: number): boolean {
    const left = (this.#own.get(address) ?? 1) - 1
    if (left === 0) this.#own.delete(address)
    else this.#own.set(address, left)
    return left === 0
  }

  /** ARP is never answered for these. */
  isMartianTarget(address: number): boolean {
    return address >>> 24 === 127 || address >>> 28 === 14
  }

  /** Why a packet from this source may not come in by the device (RFC 1812 section 5.3.7, rp_filter). */
  sourceProblem(
    device: Device,
    source: number,
    destination: number,
  ): Extract<DropReason, 'SOURCE_INVALID' | 'REVERSE_PATH'> | undefined {
    if (device.kind === 'loopback') return undefined
    if (source === -1 || source >>> 28 === 14) return 'SOURCE_INVALID'
    if (source >>> 24 === 0) return source === 0 && destination === -1 ? undefined : 'SOURCE_INVALID'
    const { sysctls } = this.#netns
    const loopback = source >>> 24 === 127 || destination >>> 24 === 127
    if (loopback && !sysctls.either4(device, 'route_localnet')) return 'SOURCE_INVALID'
    if (this.#own.has(source) && !sysctls.either4(device, 'accept_local')) return 'SOURCE_INVALID'
    const filter = sysctls.larger4(device, 'rp_filter')
    if (filter === 0) return undefined
    const back = this.input(source, destination, 0, device)
    if (back === undefined || back.type !== 'unicast') return 'REVERSE_PATH'
    return filter === 1 && back.device !== device ? 'REVERSE_PATH' : undefined
  }

  /**
   * The address that a packet starts from on a link: the first primary address of the link in whose network the
   * target is, else the first, else any link's. `link` takes addresses of link scope too. 0 where there is none.
   */
  selectSource(device: Device, target: number, link: boolean): number {
    let first = 0
    for (const address of device.addresses4) {
      if (address.secondary || !inScope(address.scope, link)) continue
      if (target === 0 || ((address.number ^ target) & address.mask) === 0) return address.number
      if (first === 0) first = address.number
    }
    if (first !== 0) return first
    for (const other of this.#netns.links()) {
      for (const address of other.addresses4) {
        if (!address.secondary && address.scope === 'global') return address.number
      }
    }
    return 0
  }

  /** The source of a packet that starts here and takes the route. 0 where there is none. */
  sourceFor(route: RouteEntry, destination: number): number {
    if (route.source4 !== 0) return route.source4
    if (route.type === 'local') return destination
    if (route.device === undefined) return 0
    const link = route.fields.scope === 'link'
    return this.selectSource(route.device, route.gateway4, link)
  }

  /** Octets that a packet to the destination may have, as far as known. */
  mtuTo(destination: number, route: RouteEntry): number {
    const mtu = route.type === 'local' ? this.#netns.loopback.mtu : route.pathMtu
    const known = this.#pathMtus?.get(destination)
    if (known === undefined) return mtu
    if (known.until > this.#netns.simulation.clock.now()) return Math.min(known.mtu, mtu)
    this.#pathMtus?.delete(destination)
    return mtu
  }

  /** A router said that only so much passes. */
  learnMtu(destination: number, mtu: number): void {
    const until = this.#netns.simulation.clock.now() + MTU_EXPIRES
    this.#pathMtus ??= new Map()
    this.#pathMtus.set(destination, { mtu: Math.max(mtu, LEAST_MTU), until })
  }

  /** Routes changed: what was found, or learned about paths, may be wrong now. */
  routesChanged(): void {
    this.#lastRoute = undefined
    this.#pathMtus = undefined
  }
}

function inScope(scope: string, link: boolean): boolean {
  return scope === 'global' || (link && scope === 'link')
}

function write4(octets: Uint8Array, address: number): void {
  octets[0] = address >>> 24
  octets[1] = address >>> 16
  octets[2] = address >>> 8
  octets[3] = address
}

function sameRule(a: RuleEntry['row'], b: RuleEntry['row']): boolean {
  return (
    a.priority === b.priority &&
    typeof a.action === 'object' &&
    typeof b.action === 'object' &&
    a.action.lookup === b.action.lookup &&
    a.from === undefined &&
    a.to === undefined &&
    a.mark === undefined &&
    a.input === undefined &&
    a.output === undefined &&
    !a.invert
  )
}
