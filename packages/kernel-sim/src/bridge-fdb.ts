import type { FdbEntry } from '@podfabric/kernel'
import { type Mac, macFromBytes } from '@podfabric/netaddr'
import { setU16At, setU32At } from '@podfabric/wire'
import type { Bridge } from './bridge.ts'
import type { BridgePort } from './bridge-port.ts'
import { MacTable } from './mac-table.ts'

/** What a bridge knows of one MAC address. */
export class BridgeFdbEntry {
  readonly high: number
  readonly low: number
  /** Undefined for the bridge's own. */
  port: BridgePort | undefined
  /** `permanent` is local: for this host, never forwarded to. */
  state: NonNullable<FdbEntry['state']>
  /** When it was last seen as a source. */
  seen: number
  /** Whether somebody added it by hand: the kernel does not take it away with an address of its own. */
  byHand = false

  constructor(
    high: number,
    low: number,
    port: BridgePort | undefined,
    state: BridgeFdbEntry['state'],
    seen: number,
  ) {
    this.high = high
    this.low = low
    this.port = port
    this.state = state
    this.seen = seen
  }

  get mac(): Mac {
    const bytes = new Uint8Array(6)
    setU16At(bytes, 0, this.high)
    setU32At(bytes, 2, this.low)
    return macFromBytes(bytes)
  }
}

/** A bridge's forwarding database. Entries past their age are forgotten when somebody comes by. */
export class BridgeFdb {
  readonly #bridge: Bridge
  readonly #table = new MacTable()
  readonly #entries: (BridgeFdbEntry | undefined)[] = []
  readonly #free: number[] = []

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  get(high: number, low: number): BridgeFdbEntry | undefined {
    const at = this.#table.get(high, low)
    if (at < 0) return undefined
    const entry = this.#entries[at] as BridgeFdbEntry
    if (entry.state !== 'dynamic' || !this.#isOld(entry)) return entry
    this.delete(entry)
    return undefined
  }

  #isOld(entry: BridgeFdbEntry): boolean {
    return this.#bridge.simulation.clock.now() - entry.seen > this.#bridge.ageing * 1000
  }

  /** Notes that a frame from this address came in by the port. */
  learn(high: number, low: number, port: BridgePort): void {
    const now = this.#bridge.simulation.clock.now()
    const at = this.#table.get(high, low)
    if (at < 0) {
      this.add(new BridgeFdbEntry(high, low, port, 'dynamic', now))
      return
    }
    const entry = this.#entries[at] as BridgeFdbEntry
    if (entry.state === 'permanent') return
    entry.seen = now
    if (entry.port === port) return
    entry.port = port
    this.#notify('new', entry)
  }

  /** Adds an entry for an address that has none. */
  add(entry: BridgeFdbEntry): void {
    const at = this.#free.pop() ?? this.#entries.length
    this.#entries[at] = entry
    this.#table.set(entry.high, entry.low, at)
    this.#notify('new', entry)
  }

  delete(entry: BridgeFdbEntry): void {
    const at = this.#table.get(entry.high, entry.low)
    this.#table.delete(entry.high, entry.low)
    this.#entries[at] = undefined
    this.#free.push(at)
    this.#notify('gone', entry)
  }

  /** Makes an address local: of a port, or of the bridge itself. What is local already stays (fdb_add_local). */
  addLocal(high: number, low: number, port: BridgePort | undefined): void {
    if (high === 0 && low === 0) return
    const known = this.get(high, low)
    if (known?.state === 'permanent') return
    if (known !== undefined) this.delete(known)
    this.add(new BridgeFdbEntry(high, low, port, 'permanent', 0))
  }

  /** A port's local address goes, unless another port or the bridge has the same (fdb_delete_local). */
  deleteLocal(entry: BridgeFdbEntry): void {
    const { ports, macHigh, macLow } = this.#bridge
    const { high, low, port } = entry
    const heir = ports.find((other) => {
      return other !== port && other.device.macHigh === high && other.device.macLow === low
    })
    const isBridges = port !== undefined && macHigh === high && macLow === low
    if (heir === undefined && !isBridges) return this.delete(entry)
    entry.port = heir
    entry.byHand = false
  }

  /** Forgets what was learned on a port; `all` takes the permanent and static entries too. */
  flushPort(port: BridgePort, all: boolean): void {
    for (const entry of this.#entries) {
      if (entry?.port !== port) continue
      if (entry.state === 'dynamic') this.delete(entry)
      else if (all) entry.state === 'permanent' ? this.deleteLocal(entry) : this.delete(entry)
    }
  }

  rows(): FdbEntry[] {
    const rows: FdbEntry[] = []
    for (const entry of this.#entries) {
      if (entry === undefined) continue
      if (entry.state === 'dynamic' && this.#isOld(entry)) this.delete(entry)
      else rows.push(this.row(entry))
    }
    return rows
  }

  row(entry: BridgeFdbEntry): FdbEntry {
    return {
      link: entry.port?.device.name ?? this.#bridge.name,
      mac: entry.mac,
      state: entry.state,
      owner: 'master',
    }
  }

  #notify(type: 'new' | 'gone', entry: BridgeFdbEntry): void {
    const { netns } = this.#bridge
    if (netns.watched) netns.notify({ table: 'fdb', type, row: this.row(entry) })
  }
}
