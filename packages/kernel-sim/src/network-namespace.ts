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
import { Reassembly } from './reassembly.ts'
import { removeRoutesOf } from './route-changes.ts'
import type { Simulation } from './simulation.ts'
import { Sysctls } from './sysctls.ts'
import { type TcpStack, tcpStack } from './tcp.ts'
import { UdpTable } from './udp-table.ts'
import type { Vxlan } from './vxlan.ts'
import type { VxlanPort } from './vxlan-port.ts'

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
  readonly netfilter: Netfilter
  readonly udp = new UdpTable()
  readonly tcp: TcpStack
  readonly echoes = new Echoes()
  readonly reassembly: Reassembly
  readonly loopback: Loopback
  readonly vxlanPorts = new Map<string, VxlanPort>()
  /** Whether bridged packets of the family go through the rules of prerouting, forward and postrouting. */
  bridgeNetfilter4 = false
  bridgeNetfilter6 = false
  readonly #streams = new ChangeStreams()
  readonly #byName = new Map<string, Device>()
  /** By index. */
  readonly #links: Device[] = []
  readonly #vxlans: Vxlan[] = []
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
    this.netfilter = netfilterFor(this)
    this.tcp = tcpStack(tcpEnvironment(this))
    this.reassembly = new Reassembly(this)
    this.loopback = new Loopback(this)
    this.add(this.loopback)
  }

  /** The links by index. Not to be changed, nor kept. */
  links(): readonly Device[] {
    return this.#links
  }

  find(name: string): Device | undefined {
    return this.#byName.get(name)
  }

  /** Takes in a link that is new, or comes from elsewhere: it keeps its index where that is free. */
  add(device: Device): void {
    const taken = this.#links.some(({ index }) => index === device.index)
    if (device.index === 0 || taken) device.index = this.#freeIndex()
    device.netns = this
    this.#byName.set(device.name, device)
    const place = this.#links.findIndex(({ index }) => index > device.index)
    this.#links.splice(place < 0 ? this.#links.length : place, 0, device)
    this.sysctls.adopt(device)
    device.changed()
  }

  #freeIndex(): number {
    while (this.#links.some(({ index }) => index === this.#nextIndex)) this.#nextIndex++
    return this.#nextIndex++
  }

  rename(device: Device, name: string): void {
    this.#byName.delete(device.name)
    device.name = name
    this.#byName.set(name, device)
    device.changed()
  }

  /** Lets a link go, with all that hung on it, to nowhere or to another namespace. */
  remove(device: Device): void {
    const row = this.watched ? device.row() : undefined
    device.port?.bridge.removePort(device)
    device.setUp(false)
    removeIpv4(device)
    ipv6Down(device)
    device.neighbors4.clear()
    device.neighbors6.clear()
    device.filter.clear()
    removeRoutesOf(device, 4, () => true)
    this.#byName.delete(device.name)
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
    this.#vxlans.push(vxlan)
  }

  deleteVxlan(vxlan: Vxlan): void {
    this.#vxlans.splice(this.#vxlans.indexOf(vxlan), 1)
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

  /** Looks again whether bridged packets meet rules: there are some, and a sysctl lets them. */
  refreshBridgeNetfilter(): void {
    const meets = (family: 4 | 6): boolean =>
      (['prerouting', 'forward', 'postrouting'] as const).some((hook) => this.netfilter.active(hook, family))
    const { sysctls } = this
    this.bridgeNetfilter4 = sysctls.flag('net.bridge.bridge-nf-call-iptables') && meets(4)
    this.bridgeNetfilter6 = sysctls.flag('net.bridge.bridge-nf-call-ip6tables') && meets(6)
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
    return this.#streams.size > 0
  }

  notify(change: Change): void {
    this.#streams.push(change)
  }

  changes(signal: AbortSignal | undefined): AsyncIterable<Change> {
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
    this.tcp.destroy()
    this.reassembly.destroy()
    this.#streams.end()
  }
}
