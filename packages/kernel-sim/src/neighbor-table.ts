import type { Neighbor } from '@podfabric/kernel'
import {
  type Ip,
  type Ipv4,
  type Ipv6,
  ipFromBytes,
  ipToBytes,
  ipv4ToNumber,
  ipv6ToWords,
} from '@podfabric/netaddr'
import { etherTypes, u32At } from '@podfabric/wire'
import { arpSolicit } from './arp.ts'
import type { Device } from './device.ts'
import { pushEthernet } from './frame.ts'
import { drop, hop } from './hops.ts'
import { icmpHostUnreachable } from './icmp.ts'
import { icmpv6AddressUnreachable } from './icmpv6.ts'
import { Ipv6Map } from './ipv6-map.ts'
import { ndSolicit } from './nd.ts'
import { NeighborEntry } from './neighbor-entry.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'

// Linux' defaults, in milliseconds: net.ipv4.neigh.default.*
const REACHABLE = 30_000
const DELAY = 5000
/** Packets that wait for one neighbor; the oldest goes first. */
const WAITING_LIMIT = 64

interface Proxy {
  readonly protocol: number | undefined
}

/** The neighbors of one link in one family. */
export class NeighborTable {
  readonly #device: Device
  readonly #family: 4 | 6
  /** IPv4: by the address as a signed number. */
  #by4: Map<number, NeighborEntry> | undefined
  /** IPv6: by the address' words. */
  #by6: Ipv6Map<NeighborEntry> | undefined
  #proxies: Map<Ip, Proxy> | undefined

  constructor(device: Device, family: 4 | 6) {
    this.#device = device
    this.#family = family
  }

  /** Addresses that are answered for, although nobody here has them, with who said so. */
  get proxies(): ReadonlyMap<Ip, Proxy> {
    return this.#proxies ?? NONE
  }

  addProxy(address: Ip, protocol: number | undefined): void {
    this.#proxies ??= new Map()
    this.#proxies.set(address, { protocol })
    this.#notifyProxy('new', address)
  }

  /** Whether it was there. */
  deleteProxy(address: Ip): boolean {
    const was = this.#proxies?.delete(address) ?? false
    if (was) this.#notifyProxy('gone', address)
    return was
  }

  #notifyProxy(type: 'new' | 'gone', address: Ip): void {
    const { netns, name } = this.#device
    if (netns.watched) netns.notify({ table: 'neighbors', type, row: { link: name, address, proxy: true } })
  }

  get4(address: number): NeighborEntry | undefined {
    return this.#by4?.get(address)
  }

  get6(words: Uint32Array): NeighborEntry | undefined {
    return this.#by6?.get(words)
  }

  get(address: Ip): NeighborEntry | undefined {
    if (this.#family === 4) return this.get4(ipv4ToNumber(address as Ipv4) | 0)
    ipv6ToWords(address as Ipv6, scratch)
    return this.get6(scratch)
  }

  /** The entry for an IPv4 address, made where there is none. */
  ensure4(address: number): NeighborEntry {
    const known = this.#by4?.get(address)
    if (known !== undefined) return known
    const octets = Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)
    return this.#add(octets)
  }

  ensure6(words: Uint32Array): NeighborEntry {
    const known = this.get6(words)
    if (known !== undefined) return known
    const octets = new Uint8Array(16)
    const view = new DataView(octets.buffer)
    for (let w = 0; w < 4; w++) view.setUint32(4 * w, words[w] as number)
    return this.#add(octets)
  }

  ensure(address: Ip): NeighborEntry {
    if (this.#family === 4) return this.ensure4(ipv4ToNumber(address as Ipv4) | 0)
    const words = new Uint32Array(4)
    ipv6ToWords(address as Ipv6, words)
    return this.ensure6(words)
  }

  /** IPv6, by the sixteen octets. */
  getOctets(octets: Uint8Array): NeighborEntry | undefined {
    return this.get6(readWords(octets))
  }

  /** `octets` is the table's to keep. */
  ensureOctets(octets: Uint8Array): NeighborEntry {
    return this.getOctets(octets) ?? this.#add(octets)
  }

  /** IPv6: the addresses that are answered for by proxy, in network order. */
  *proxyOctets(): Iterable<Uint8Array> {
    for (const address of this.proxies.keys()) yield ipToBytes(address)
  }

  #add(octets: Uint8Array): NeighborEntry {
    const entry = new NeighborEntry(ipFromBytes(octets), octets)
    if (this.#family === 4) {
      this.#by4 ??= new Map()
      this.#by4.set(i32At(octets, 0), entry)
    } else {
      this.#by6 ??= new Ipv6Map()
      this.#by6.set(readWords(octets), entry)
    }
    return entry
  }

  delete(entry: NeighborEntry): void {
    entry.gone = true
    entry.stopTimer()
    for (const packet of entry.waiting.splice(0)) {
      drop(this.#device.netns, this.#device, packet, 'NEIGHBOR_FAILED', 'ip')
    }
    if (this.#family === 4) this.#by4?.delete(i32At(entry.octets, 0))
    else this.#by6?.delete(readWords(entry.octets))
    this.#notify('gone', entry)
  }

  /** Forgets all neighbors, permanent ones too. */
  clear(): void {
    for (const entry of [...this.entries()]) this.delete(entry)
  }

  /** Forgets all but the permanent ones. */
  clearSeen(): void {
    for (const entry of [...this.entries()]) if (entry.state !== 'permanent') this.delete(entry)
  }

  /** As `clear`, and answers for nobody any more: what a link that goes down does. */
  clearAll(): void {
    this.clear()
    for (const address of [...this.proxies.keys()]) this.deleteProxy(address)
  }

  *entries(): Iterable<NeighborEntry> {
    yield* this.#by4?.values() ?? []
    yield* this.#by6?.values() ?? []
  }

  rows(): Neighbor[] {
    const rows: Neighbor[] = []
    for (const entry of this.entries()) {
      this.#age(entry)
      rows.push(entry.row(this.#device.name))
    }
    for (const [address, { protocol }] of this.proxies) {
      rows.push({
        link: this.#device.name,
        address,
        proxy: true,
        ...(protocol !== undefined && { protocol }),
      })
    }
    return rows
  }

  #age(entry: NeighborEntry): void {
    if (entry.state !== 'reachable') return
    if (this.#device.simulation.clock.now() - entry.confirmed <= REACHABLE) return
    entry.state = 'stale'
    this.#notify('new', entry)
  }

  /** Sends an IP packet to the neighbor, or lets it wait until the neighbor has answered. */
  send(entry: NeighborEntry, packet: Packet): void {
    this.#age(entry)
    switch (entry.state) {
      case 'incomplete':
        if (entry.timer === undefined) this.#ask(entry, packet)
        return this.#wait(entry, packet)
      case 'failed':
        entry.state = 'incomplete'
        this.#ask(entry, packet)
        return this.#wait(entry, packet)
      case 'stale':
        this.#delay(entry)
    }
    this.#transmit(entry, packet)
  }

  #transmit(entry: NeighborEntry, packet: Packet): void {
    const device = this.#device
    if (device.simulation.tracing) {
      const because = { neighbor: entry.address, mac: entry.mac, state: entry.state }
      hop(device.netns, device, packet, 'route', 'NEIGHBOR', because, 'ip')
    }
    const type = this.#family === 4 ? etherTypes.ipv4 : etherTypes.ipv6
    pushEthernet(packet, entry.macHigh, entry.macLow, device, type)
    device.transmit(packet)
  }

  #wait(entry: NeighborEntry, packet: Packet): void {
    const device = this.#device
    if (device.simulation.tracing) {
      hop(device.netns, device, packet, 'wait', 'NEIGHBOR_ASKED', { neighbor: entry.address }, 'ip')
    }
    entry.waiting.push(packet)
    if (entry.waiting.length <= WAITING_LIMIT) return
    const oldest = entry.waiting.shift() as Packet
    drop(device.netns, device, oldest, 'NEIGHBOR_FAILED', 'ip')
  }

  get #retransmit(): number {
    return this.#device.netns.sysctls.retransmit(this.#device, this.#family)
  }

  #limit(unicast: boolean): number {
    return this.#device.netns.sysctls.solicitations(this.#device, this.#family, unicast)
  }

  /** Asks everybody on the link, a few times. */
  #ask(entry: NeighborEntry, cause: Packet | undefined): void {
    entry.probes = 0
    const again = (): void => {
      if (entry.probes >= this.#limit(false)) return this.#fail(entry)
      entry.probes++
      entry.timer = this.#device.simulation.after(this.#retransmit, again)
      this.#solicit(entry, entry.waiting[0] ?? cause, false)
    }
    again()
    this.#notify('new', entry)
  }

  #solicit(entry: NeighborEntry, cause: Packet | undefined, unicast: boolean): void {
    if (this.#family === 4) arpSolicit(this.#device, entry, cause, unicast)
    else ndSolicit(this.#device, entry, cause, unicast)
  }

  /** Nobody answered: everything that waits is undeliverable, and its senders hear of it. */
  #fail(entry: NeighborEntry): void {
    const device = this.#device
    entry.timer = undefined
    entry.state = 'failed'
    entry.hasMac = false
    this.#notify('new', entry)
    for (const packet of entry.waiting.splice(0)) {
      if (device.simulation.tracing) {
        drop(device.netns, device, packet, 'NEIGHBOR_FAILED', 'ip', { neighbor: entry.address })
      }
      if (this.#family === 4) icmpHostUnreachable(device.netns, packet)
      else icmpv6AddressUnreachable(device.netns, packet)
    }
  }

  /** A stale entry is used: in a while the neighbor is asked itself whether it is still there. */
  #delay(entry: NeighborEntry): void {
    entry.state = 'delay'
    entry.stopTimer()
    entry.timer = this.#device.simulation.after(DELAY, () => this.#probe(entry), { background: true })
  }

  #probe(entry: NeighborEntry): void {
    entry.state = 'probe'
    entry.probes = 0
    const again = (): void => {
      if (entry.probes >= this.#limit(true)) return this.#fail(entry)
      entry.probes++
      entry.timer = this.#device.simulation.after(this.#retransmit, again, { background: true })
      this.#solicit(entry, undefined, true)
    }
    again()
  }

  /** The neighbor said which MAC address it has. `state` is what that proves. Not for permanent entries. */
  update(entry: NeighborEntry, high: number, low: number, state: 'reachable' | 'stale'): void {
    if (entry.state === 'permanent' || entry.state === 'noarp') return
    const same = entry.hasMac && entry.macHigh === high && entry.macLow === low
    if (same && state === 'stale' && entry.state !== 'incomplete' && entry.state !== 'failed') return
    entry.hasMac = true
    entry.macHigh = high
    entry.macLow = low
    entry.stopTimer()
    entry.state = state
    if (state === 'reachable') entry.confirmed = this.#device.simulation.clock.now()
    this.#notify('new', entry)
    this.#flush(entry)
  }

  /** Something contradicts what is known: it is asked for anew when it is used. */
  distrust(entry: NeighborEntry): void {
    if (entry.state !== 'reachable') return
    entry.state = 'stale'
    this.#notify('new', entry)
  }

  /** As somebody said by hand. */
  set(entry: NeighborEntry, row: Neighbor, high: number, low: number): void {
    entry.stopTimer()
    if (row.mac !== undefined) {
      entry.hasMac = true
      entry.macHigh = high
      entry.macLow = low
    }
    entry.state = row.state ?? 'permanent'
    entry.protocol = row.protocol
    entry.confirmed = this.#device.simulation.clock.now()
    this.#notify('new', entry)
    if (entry.hasMac && entry.state !== 'incomplete' && entry.state !== 'failed') this.#flush(entry)
    else if (entry.state === 'incomplete') this.#ask(entry, undefined)
  }

  #flush(entry: NeighborEntry): void {
    for (const packet of entry.waiting.splice(0)) this.send(entry, packet)
  }

  #notify(type: 'new' | 'gone', entry: NeighborEntry): void {
    const { netns, name } = this.#device
    if (netns.watched) netns.notify({ table: 'neighbors', type, row: entry.row(name) })
  }
}

const scratch = new Uint32Array(4)
const NONE: ReadonlyMap<Ip, Proxy> = new Map()

function readWords(octets: Uint8Array): Uint32Array {
  for (let w = 0; w < 4; w++) scratch[w] = u32At(octets, 4 * w)
  return scratch
}
