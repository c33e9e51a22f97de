import type { Change } from '@podfabric/kernel'
import { endCaptures } from './capture.ts'
import { ChangeStreams } from './change-streams.ts'
import type { Device } from './device.ts'
import { Echoes } from './echo.ts'
import { tcpEnvironment } from './ip-tcp.ts'
import { removeIpv4 } from './ipv4-address.ts'
import { Ipv4Routing } from './ipv4-routing.ts'
import { addAnycastRoute } from './ipv6-address.ts'
import { ipv6Down, ipv6Running, ipv6Up } from './ipv6-autoconf.ts'
import { Ipv6Routing } from './ipv6-routing.ts'
import { Loopback } from './loopback.ts'
import type { Netfilter } from './netfilter.ts'
import { netfilterFor } from './netfilter-environment.ts'
import { BITS, hooksOf } from './netfilter-hook.ts'
import { Reassembly } from './reassembly.ts'
import { removeRoutesOf } from './route-changes.ts'
import type { Simulation } from './simulation.ts'
import { Sysctls } from './sysctls.ts'
import { type TcpStack, tcpStack } from './tcp.ts'
import { UdpTable } from './udp-table.ts'
import type { Vxlan } from './vxlan.ts'
import type { VxlanPort } from './vxlan-port.ts'

/** So many links are found by looking at each. */
const FEW = 8
/** The hooks that bridged packets meet. */
const BRIDGED = BITS.prerouting | BITS.forward | BITS.postrouting
const NO_LINKS: Vxlan[] = []

/** Everything that one network namespace has. */
export class NetworkNamespace {
  readonly simulation: Simulation
  /** Name of the node. */
  readonly node: string
  /** As Linux tells device and inode of nsfs. */
  readonly id: string
  /** The name it was made with; '' for the node's own namespace. */
  readonly name: string
  readonly path: string
  readonly ipv4: Ipv4Routing
  readonly ipv6: Ipv6Routing
  readonly sysctls: Sysctls
  readonly udp = new UdpTable()
  readonly loopback: Loopback
  /** Where rules are, as `hooksOf` tells. */
  hooks4 = 0
  hooks6 = 0
  /** Whether connections are followed. */
  tracking4 = false
  tracking6 = false
  /** Whether bridged packets of the family go through the rules of prerouting, forward and postrouting. */
  bridgeNetfilter4 = false
  bridgeNetfilter6 = false
  // A cluster has very many namespaces, and most of them use little of what one may have: it is made when it is used.
  #netfilter: Netfilter | undefined
  #tcp: TcpStack | undefined
  #echoes: Echoes | undefined
  #reassembly: Reassembly | undefined
  #vxlanPorts: Map<string, VxlanPort> | undefined
  #streams: ChangeStreams | undefined
  /** Only where there are many. */
  #byName: Map<string, Device> | undefined
  /** By index. */
  readonly #links: Device[] = []
  #vxlans: Vxlan[] = NO_LINKS
  readonly #onGone: (netns: NetworkNamespace) => void
  #nextIndex = 1
  #names = 0
  #holds = 0
  #gone = false
  #identification: number
  #fragment6: number

  constructor(
    simulation: Simulation,
    identity: { readonly node: string; readonly name: string; readonly path: string },
    onGone: (netns: NetworkNamespace) => void,
  ) {
    this.simulation = simulation
    this.node = identity.node
    this.name = identity.name
    this.path = identity.path
    this.id = `4:${simulation.nextInode()}`
    this.#onGone = onGone
    this.#identification = simulation.randomBelow(0x1_0000)
    this.#fragment6 = simulation.randomBelow(0xffff_ffff)
    this.ipv4 = new Ipv4Routing(this)
    this.ipv6 = new Ipv6Routing(this)
    this.sysctls = new Sysctls(this)
    this.loopback = new Loopback(this)
    this.add(this.loopback)
  }

  /** The links by index. Not to be changed, nor kept. */
  links(): readonly Device[] {
    return this.#links
  }

  find(name: string): Device | undefined {
    const links = this.#links
    if (links.length <= FEW) {
      for (let i = 0; i < links.length; i++) if ((links[i] as Device).name === name) return links[i]
      return undefined
    }
    this.#byName ??= new Map(links.map((device) => [device.name, device]))
    return this.#byName.get(name)
  }

  get netfilter(): Netfilter {
    this.#netfilter ??= netfilterFor(this)
    return this.#netfilter
  }

  get tcp(): TcpStack {
    this.#tcp ??= tcpStack(tcpEnvironment(this))
    return this.#tcp
  }

  get echoes(): Echoes {
    this.#echoes ??= new Echoes()
    return this.#echoes
  }

  get reassembly(): Reassembly {
    this.#reassembly ??= new Reassembly(this)
    return this.#reassembly
  }

  get vxlanPorts(): Map<string, VxlanPort> {
    this.#vxlanPorts ??= new Map()
    return this.#vxlanPorts
  }

  /** Takes in a link that is new, or comes from elsewhere: it keeps its index where that is free. */
  add(device: Device): void {
    if (device.index === 0 || this.#placeOf(device.index) < 0) device.index = this.#freeIndex()
    device.netns = this
    this.#byName?.set(device.name, device)
    this.#links.splice(this.#placeOf(device.index), 0, device)
    this.sysctls.adopt(device)
    device.changed()
  }

  #freeIndex(): number {
    while (this.#placeOf(this.#nextIndex) < 0) this.#nextIndex++
    return this.#nextIndex++
  }

  /** Where a link with that index goes; -1 where there is one. */
  #placeOf(index: number): number {
    let low = 0
    let high = this.#links.length
    while (low < high) {
      const middle = (low + high) >> 1
      const found = (this.#links[middle] as Device).index
      if (found === index) return -1
      if (found < index) low = middle + 1
      else high = middle
    }
    return low
  }

  rename(device: Device, name: string): void {
    this.#byName?.delete(device.name)
    device.name = name
    this.#byName?.set(name, device)
    device.changed()
  }

  /** Lets a link go, with all that hung on it, to nowhere or to another namespace. */
  remove(device: Device): void {
    const row = this.watched ? device.row() : undefined
    device.port?.bridge.removePort(device)
    device.setUp(false)
    removeIpv4(device)
    ipv6Down(device)
    device.neighbors4.clearAll()
    device.filter = undefined
    removeRoutesOf(device, 4, () => true)
    this.#byName?.delete(device.name)
    this.#links.splice(this.#links.indexOf(device), 1)
    if (row !== undefined)
      this.notify({ table: 'links', type: 'gone', row: { ...row, up: false, running: false } })
  }

  /** As `remove`, for good: those who capture there are at the end. */
  destroyLink(device: Device): void {
    this.remove(device)
    endCaptures(device)
    device.removed()
  }

  /** The vxlan links made here, wherever they are now: their outer packets come and go here. */
  vxlans(): readonly Vxlan[] {
    return this.#vxlans
  }

  addVxlan(vxlan: Vxlan): void {
    this.#vxlans = [...this.#vxlans, vxlan]
  }

  deleteVxlan(vxlan: Vxlan): void {
    this.#vxlans = this.#vxlans.filter((other) => other !== vxlan)
  }

  /** Identification of the next IPv4 packet. */
  nextIdentification(): number {
    this.#identification = (this.#identification + 1) & 0xffff
    return this.#identification
  }

  nextFragment6(): number {
    this.#fragment6 = (this.#fragment6 + 1) >>> 0
    return this.#fragment6
  }

  /** Rules, or the sysctls of bridged packets, are others now. */
  rulesChanged(): void {
    const { sysctls, netfilter } = this
    this.hooks4 = hooksOf(netfilter, 4)
    this.hooks6 = hooksOf(netfilter, 6)
    this.tracking4 = netfilter.tracking(4)
    this.tracking6 = netfilter.tracking(6)
    this.bridgeNetfilter4 =
      sysctls.flag('net.bridge.bridge-nf-call-iptables') && (this.hooks4 & BRIDGED) !== 0
    this.bridgeNetfilter6 =
      sysctls.flag('net.bridge.bridge-nf-call-ip6tables') && (this.hooks6 & BRIDGED) !== 0
  }

  /** IPv6 was switched on or off on a link. */
  ipv6Switched(device: Device): void {
    if (this.sysctls.ipv6(device, 'disable_ipv6') !== 0) return ipv6Down(device)
    if (device.up) ipv6Up(device)
    if (device.running) ipv6Running(device)
  }

  /** This became a router for IPv6, or ceased to be one: routers have the anycast address of each network. */
  forwarding6Switched(): void {
    for (const device of this.#links) {
      removeRoutesOf(device, 6, ({ type, fields }) => type === 'anycast' && fields.protocol === 2)
      if (!this.sysctls.forwarding6) continue
      for (const address of device.addresses6) addAnycastRoute(device, address)
    }
  }

  /** Whether anybody wants to hear of changes: where not, no row is made for them. */
  get watched(): boolean {
    return this.#streams !== undefined && this.#streams.size > 0
  }

  notify(change: Change): void {
    this.#streams?.push(change)
  }

  changes(signal: AbortSignal | undefined): AsyncIterable<Change> {
    this.#streams ??= new ChangeStreams()
    return this.#streams.open(signal)
  }

  /** A name was bound. */
  named(): void {
    this.#names++
  }

  unnamed(): void {
    this.#names--
    this.#endIfLeft()
  }

  /** Something needs the namespace: a reference, a handle, a socket. */
  hold(): void {
    this.#holds++
  }

  release(): void {
    this.#holds--
    this.#endIfLeft()
  }

  #endIfLeft(): void {
    if (this.#names === 0 && this.#holds === 0) this.destroy()
  }

  /** The end: links go, virtual ones with their far ends. */
  destroy(): void {
    if (this.#gone) return
    this.#gone = true
    this.#onGone(this)
    this.#tcp?.destroy()
    this.#reassembly?.destroy()
    this.#streams?.end()
  }
}
