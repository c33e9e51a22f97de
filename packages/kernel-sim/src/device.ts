import { KernelError, type Link } from '@podfabric/kernel'
import { isGroupMac, type Mac, macToBytes, randomMac, ZERO_MAC } from '@podfabric/netaddr'
import type { BridgePort } from './bridge-port.ts'
import type { CaptureQueue } from './capture.ts'
import { DeviceRoutes } from './device-routes.ts'
import { drop, hop, NOTHING } from './hops.ts'
import { type Ipv4Address, startIpv4, stopIpv4 } from './ipv4-address.ts'
import type { Ipv6Address } from './ipv6-address.ts'
import { ipv6Down, ipv6Running, ipv6Up } from './ipv6-autoconf.ts'
import { linkInput } from './link-input.ts'
import { DEFAULT_SETTINGS, type LinkSettings } from './link-settings.ts'
import { NeighborTable } from './neighbor-table.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import type { Simulation } from './simulation.ts'
import type { Receiver } from './work-queue.ts'

/** Links that a packet may cross: more is a loop of bridges, for a TTL ends every loop of routers before. */
const HOP_LIMIT = 1024

/** Smallest and largest MTU that Linux takes, by what bounds it. */
const MIN_MTU = 68
const MAX_MTU = 65_535

const NO_CAPTURES: readonly CaptureQueue[] = []

/** What every link has. A kind of link says how frames leave, and when it can carry them. */
export abstract class Device implements Receiver {
  abstract readonly kind: Link['kind']
  readonly simulation: Simulation
  netns: NetworkNamespace
  name: string
  index = 0
  mac: Mac = ZERO_MAC
  /** The upper 16 bits of the MAC address. */
  macHigh = 0
  /** The lower 32 bits, signed. */
  macLow = 0
  mtu = 1500
  up = false
  /** Sysctls of this link. */
  settings: LinkSettings = DEFAULT_SETTINGS
  /** Whether IPv4 packets that come in here are routed on; kept by the sysctls. */
  forwarding4 = false
  /** Up, and able to carry packets now. */
  running = false
  alias: string | undefined
  port: BridgePort | undefined
  /** In the order that `ip address` shows: primaries before secondaries. */
  readonly addresses4: Ipv4Address[] = []
  readonly addresses6: Ipv6Address[] = []
  readonly neighbors4 = new NeighborTable(this, 4)
  readonly neighbors6 = new NeighborTable(this, 6)
  /** Routes of all tables that lead out here. */
  readonly routes = new DeviceRoutes()
  captures: readonly CaptureQueue[] = NO_CAPTURES
  /** MAC addresses added to the link's own filter by hand, as `bridge fdb add … self` does. */
  filter: Set<Mac> | undefined

  constructor(netns: NetworkNamespace, name: string) {
    this.simulation = netns.simulation
    this.netns = netns
    this.name = name
  }

  /** Whether the medium is there, the administrative state aside. */
  abstract get carrier(): boolean

  /** Sends a frame on the medium. The link is running. */
  protected abstract send(packet: Packet): void

  /** What only this kind of link has to say of itself. */
  abstract row(): Link

  /** A frame leaves by this link. `packet.start` is at the Ethernet header. */
  transmit(packet: Packet): void {
    const { simulation, netns } = this
    if (!this.running) {
      return drop(netns, this, packet, this.up ? 'NO_CARRIER' : 'LINK_DOWN', 'ethernet')
    }
    if (++packet.hops > HOP_LIMIT) return drop(netns, this, packet, 'LOOP', 'ethernet')
    if (this.captures.length > 0) this.#capture(packet, 'out')
    if (simulation.tracing) hop(netns, this, packet, 'transmit', 'TRANSMITTED', NOTHING, 'ethernet')
    this.send(packet)
  }

  /** A frame has arrived by this link. */
  receive(packet: Packet): void {
    const { netns } = this
    if (!this.up) return drop(netns, this, packet, 'LINK_DOWN', 'ethernet')
    if (this.captures.length > 0) this.#capture(packet, 'in')
    if (this.simulation.tracing) hop(netns, this, packet, 'receive', 'RECEIVED', NOTHING, 'ethernet')
    const { port } = this
    if (port !== undefined) port.bridge.forward(port, packet)
    else linkInput(this, packet)
  }

  /** Hands a frame to whoever receives there, in its turn. */
  protected deliver(receiver: Receiver, packet: Packet): void {
    if (!this.simulation.queue.push(receiver, packet)) drop(this.netns, this, packet, 'LOOP', 'ethernet')
  }

  #capture(packet: Packet, direction: 'in' | 'out'): void {
    const at = this.simulation.clock.now()
    for (const queue of this.captures) queue.push({ bytes: packet.copy(), at, direction })
  }

  setMac(mac: Mac): void {
    const bytes = macToBytes(mac)
    this.mac = mac
    this.macHigh = ((bytes[0] as number) << 8) | (bytes[1] as number)
    this.macLow =
      ((bytes[2] as number) << 24) |
      ((bytes[3] as number) << 16) |
      ((bytes[4] as number) << 8) |
      (bytes[5] as number)
  }

  /** As `setMac`, on a link in use: whoever knew its neighbors must ask again (neigh_changeaddr). */
  changeMac(mac: Mac): void {
    this.setMac(mac)
    this.neighbors4.clear()
    this.neighbors6.clear()
  }

  randomMac(): void {
    this.setMac(randomMac(this.simulation.random))
  }

  setUp(up: boolean): void {
    if (this.up === up) return
    this.up = up
    if (up) {
      startIpv4(this)
      ipv6Up(this)
    }
    this.refresh()
    if (!up) {
      stopIpv4(this)
      ipv6Down(this)
      this.neighbors4.clearAll()
    }
    this.upChanged()
    this.changed()
  }

  /** Looks again whether the link can carry packets, and tells those who depend on it. */
  refresh(): void {
    const running = this.up && this.carrier
    if (running === this.running) return
    this.running = running
    this.port?.bridge.portChanged(this.port)
    if (running) ipv6Running(this)
    else this.#forget()
    this.changed()
  }

  /** Who was seen over a medium that is gone may not be there any more (neigh_carrier_down). */
  #forget(): void {
    this.neighbors4.clearSeen()
    this.neighbors6.clearSeen()
  }

  /** What depends on this link's administrative state. */
  protected upChanged(): void {}

  /** The link goes away for good. */
  removed(): void {}

  /** Tells watchers that the row is another now. */
  changed(): void {
    if (this.netns.watched) this.netns.notify({ table: 'links', type: 'new', row: this.row() })
  }

  protected get facts() {
    return {
      name: this.name,
      index: this.index,
      mac: this.mac,
      mtu: this.mtu,
      up: this.up,
      running: this.running,
      ...(this.port !== undefined && { port: this.port.row() }),
      ...(this.alias !== undefined && { alias: this.alias }),
    }
  }

  get maxMtu(): number {
    return MAX_MTU
  }

  /** EINVAL out of range. */
  checkMtu(mtu: number, operation: string): void {
    if (!Number.isInteger(mtu) || mtu < MIN_MTU || mtu > this.maxMtu) {
      throw new KernelError('EINVAL', operation, `mtu ${mtu} is not between ${MIN_MTU} and ${this.maxMtu}`)
    }
  }
}

/** EADDRNOTAVAIL for group addresses and zero, as Linux has it. */
export function checkMac(mac: Mac, operation: string): void {
  if (mac === ZERO_MAC || isGroupMac(mac)) {
    throw new KernelError('EADDRNOTAVAIL', operation, `${mac} is not a unicast MAC address`)
  }
}
