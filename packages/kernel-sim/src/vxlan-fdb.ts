import type { FdbEntry } from '@podfabric/kernel'
import {
  type Ip,
  type Ipv4,
  ipFromBytes,
  ipToBytes,
  ipv4ToNumber,
  isV4,
  type Mac,
  macFromNumber,
  macToNumber,
} from '@podfabric/netaddr'
import type { PreparedVxlan } from '@podfabric/overlay'
import { MacTable } from './mac-table.ts'
import type { Vxlan } from './vxlan.ts'

/** One end of a tunnel that frames are sent to. */
export class VxlanRemote {
  readonly ip: Ip
  readonly octets: Uint8Array
  /** IPv4, signed. */
  readonly number: number
  /** IPv6. */
  readonly words = new Uint32Array(4)
  /** The outer headers for frames from `preparedFrom`. */
  prepared: PreparedVxlan | undefined = undefined
  preparedFrom: Ip | undefined = undefined

  constructor(ip: Ip) {
    this.ip = ip
    this.octets = ipToBytes(ip)
    this.number = isV4(ip) ? ipv4ToNumber(ip as Ipv4) | 0 : 0
    const view = new DataView(this.octets.buffer)
    if (!isV4(ip)) for (let w = 0; w < 4; w++) this.words[w] = view.getUint32(4 * w)
  }
}

/** Where a vxlan link sends frames for one MAC address. */
export interface VxlanFdbEntry {
  readonly mac: Mac
  readonly remotes: VxlanRemote[]
  state: NonNullable<FdbEntry['state']>
  seen: number
}

/** Entries that were learned are forgotten after so many milliseconds: IFLA_VXLAN_AGEING. */
const AGEING = 300_000

/** The forwarding database of a vxlan link. The all-zero MAC address stands for all that have no entry. */
export class VxlanFdb {
  readonly #device: Vxlan
  readonly #table = new MacTable()
  readonly #entries: (VxlanFdbEntry | undefined)[] = []
  readonly #free: number[] = []

  constructor(device: Vxlan) {
    this.#device = device
  }

  get(high: number, low: number): VxlanFdbEntry | undefined {
    const at = this.#table.get(high, low)
    if (at < 0) return undefined
    const entry = this.#entries[at] as VxlanFdbEntry
    if (entry.state !== 'dynamic' || this.#now() - entry.seen <= AGEING) return entry
    this.delete(entry)
    return undefined
  }

  getMac(mac: Mac): VxlanFdbEntry | undefined {
    const { high, low } = halves(mac)
    return this.get(high, low)
  }

  add(mac: Mac, remote: VxlanRemote, state: VxlanFdbEntry['state']): VxlanFdbEntry {
    const { high, low } = halves(mac)
    const entry: VxlanFdbEntry = { mac, remotes: [remote], state, seen: this.#now() }
    const at = this.#free.pop() ?? this.#entries.length
    this.#entries[at] = entry
    this.#table.set(high, low, at)
    this.notify('new', entry, remote)
    return entry
  }

  delete(entry: VxlanFdbEntry): void {
    const { high, low } = halves(entry.mac)
    const at = this.#table.get(high, low)
    this.#table.delete(high, low)
    this.#entries[at] = undefined
    this.#free.push(at)
    for (const remote of entry.remotes) this.notify('gone', entry, remote)
  }

  /** Notes that a frame from this MAC address came from the tunnel's end whose address is at `bytes[at]`. */
  learn(high: number, low: number, bytes: Uint8Array, at: number, family: 4 | 6): void {
    const entry = this.get(high, low)
    if (entry === undefined) {
      const mac = macFromNumber(high * 0x1_0000_0000 + (low >>> 0))
      this.add(mac, new VxlanRemote(ipFromOctets(bytes, at, family)), 'dynamic')
      return
    }
    entry.seen = this.#now()
    if (entry.state !== 'dynamic' || isAt(entry.remotes[0] as VxlanRemote, bytes, at)) return
    const remote = new VxlanRemote(ipFromOctets(bytes, at, family))
    entry.remotes.splice(0, entry.remotes.length, remote)
    this.notify('new', entry, remote)
  }

  /** Forgets what was learned. */
  flush(): void {
    for (const entry of this.#entries) if (entry?.state === 'dynamic') this.delete(entry)
  }

  rows(): FdbEntry[] {
    const rows: FdbEntry[] = []
    for (const entry of this.#entries) {
      if (entry === undefined || this.getMac(entry.mac) === undefined) continue
      for (const remote of entry.remotes) rows.push(this.#row(entry, remote))
    }
    return rows
  }

  #row({ mac, state }: VxlanFdbEntry, { ip }: VxlanRemote): FdbEntry {
    return { link: this.#device.name, mac, destination: ip, state, owner: 'self' }
  }

  notify(type: 'new' | 'gone', entry: VxlanFdbEntry, remote: VxlanRemote): void {
    const { netns } = this.#device
    if (netns.watched) netns.notify({ table: 'fdb', type, row: this.#row(entry, remote) })
  }

  #now(): number {
    return this.#device.simulation.clock.now()
  }
}

function halves(mac: Mac): { readonly high: number; readonly low: number } {
  const number = macToNumber(mac)
  return { high: Math.floor(number / 0x1_0000_0000), low: number | 0 }
}

function ipFromOctets(bytes: Uint8Array, at: number, family: 4 | 6): Ip {
  return ipFromBytes(bytes.subarray(at, at + (family === 4 ? 4 : 16)))
}

function isAt({ octets }: VxlanRemote, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < octets.length; i++) if (octets[i] !== bytes[at + i]) return false
  return true
}
