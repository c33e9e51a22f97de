import { type BridgeLink, KernelError } from '@podfabric/kernel'
import { type Mac, ZERO_MAC } from '@podfabric/netaddr'
import { setU16At, setU32At, u16At } from '@podfabric/wire'
import { BridgeFdb } from './bridge-fdb.ts'
import { bridgeNetfilter } from './bridge-netfilter.ts'
import { BridgePort } from './bridge-port.ts'
import { Device } from './device.ts'
import { ETHERNET, VLAN_ROOM } from './frame.ts'
import { drop, hop, NOTHING } from './hops.ts'
import { ipv6Resized } from './ipv6-autoconf.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'

/** As many ports as Linux gives a bridge: BR_MAX_PORTS less the number 0. */
const MAX_PORTS = 1023
const DEFAULT_MTU = 1500

/** A learning switch, and an interface of its own on it. No spanning tree, no snooping. */
export class Bridge extends Device {
  readonly kind = 'bridge'
  /** Seconds. */
  ageing = 300
  /** Whether somebody chose the MAC address, or the MTU. Else they follow the ports. */
  macChosen = false
  mtuChosen = false
  readonly ports: BridgePort[] = []
  readonly fdb: BridgeFdb
  /** Before anything made Linux look at the ports, a bridge without ports can carry packets. */
  #looked = false

  constructor(netns: NetworkNamespace, name: string) {
    super(netns, name)
    this.fdb = new BridgeFdb(this)
  }

  get carrier(): boolean {
    return this.#looked ? this.ports.some(({ device }) => device.running) : true
  }

  /** Somebody chose the MAC address: it no longer follows the ports. */
  chooseMac(): void {
    this.macChosen = true
    this.#looked = true
    this.refresh()
  }

  addPort(device: Device, operation: string): void {
    if (device instanceof Bridge) {
      throw new KernelError('ELOOP', operation, 'a bridge cannot be a port of a bridge')
    }
    if (device.kind === 'loopback')
      throw new KernelError('EINVAL', operation, 'lo cannot be a port of a bridge')
    if (this.ports.length >= MAX_PORTS) {
      throw new KernelError('EXFULL', operation, `${this.name} has ${MAX_PORTS} ports, and no room for more`)
    }
    const port = new BridgePort(this, device)
    device.port = port
    this.ports.push(port)
    this.#looked = true
    this.fdb.addLocal(device.macHigh, device.macLow, port)
    this.#followPorts()
    this.refresh()
    device.changed()
  }

  removePort(device: Device): void {
    const { port } = device
    if (port === undefined) return
    this.ports.splice(this.ports.indexOf(port), 1)
    device.port = undefined
    this.fdb.flushPort(port, true)
    this.#followPorts()
    this.refresh()
    device.changed()
  }

  /** A port's MAC address was another before. */
  portMacChanged(port: BridgePort, high: number, low: number): void {
    const before = this.fdb.get(high, low)
    if (before?.port === port && before.state === 'permanent' && !before.byHand) this.fdb.deleteLocal(before)
    this.fdb.addLocal(port.device.macHigh, port.device.macLow, port)
    this.#followPorts()
  }

  /** The bridge's own address is local too, and the one before only where a port has it. */
  override setMac(mac: Mac): void {
    const before = this.fdb.get(this.macHigh, this.macLow)
    if (before?.state === 'permanent' && before.port === undefined && !before.byHand) this.fdb.delete(before)
    super.setMac(mac)
    this.fdb.addLocal(this.macHigh, this.macLow, undefined)
  }

  portMtuChanged(): void {
    this.#followPorts()
  }

  portChanged(port: BridgePort): void {
    if (!port.forwarding) this.fdb.flushPort(port, false)
    this.refresh()
  }

  protected override upChanged(): void {
    if (this.up) return
    for (const port of this.ports) this.fdb.flushPort(port, false)
  }

  override removed(): void {
    for (const { device } of [...this.ports]) this.removePort(device)
  }

  /** Lowest MAC address and lowest MTU of the ports, unless they were chosen; none at all without ports, as on Linux. */
  #followPorts(): void {
    if (!this.macChosen) {
      const lowest = this.ports.map(({ device }) => device.mac).sort()[0] ?? ZERO_MAC
      if (lowest !== this.mac) this.changeMac(lowest)
    }
    if (!this.mtuChosen) {
      const before = this.mtu
      this.mtu =
        this.ports.length === 0 ? DEFAULT_MTU : Math.min(...this.ports.map(({ device }) => device.mtu))
      if (this.mtu !== before) ipv6Resized(this, before)
    }
    this.changed()
  }

  /** A frame came in by a port. */
  forward(from: BridgePort, packet: Packet): void {
    const { bytes, start } = packet
    const { netns } = this
    if (packet.length < ETHERNET) return drop(netns, from.device, packet, 'MALFORMED', 'ethernet')
    if (!from.forwarding) return drop(netns, from.device, packet, 'LINK_DOWN', 'ethernet')
    if (((bytes[start + 6] as number) & 1) === 1) {
      return drop(netns, from.device, packet, 'SOURCE_INVALID', 'ethernet')
    }
    if (from.learning) this.fdb.learn(u16At(bytes, start + 6), i32At(bytes, start + 8), from)
    if ((netns.bridgeNetfilter4 || netns.bridgeNetfilter6) && bridgeNetfilter(this, from, packet)) return
    this.decide(from, packet)
  }

  /** Chooses the ports for a frame that came in by a port, or by the bridge's own interface (`undefined`). */
  decide(from: BridgePort | undefined, packet: Packet): void {
    const { bytes, start, netns } = { bytes: packet.bytes, start: packet.start, netns: this.netns }
    if (((bytes[start] as number) & 1) === 1) return this.#flood(from, packet, true)
    const high = u16At(bytes, start)
    const low = i32At(bytes, start + 2)
    if (from !== undefined && high === this.macHigh && low === this.macLow) return this.#passUp(packet)
    const entry = this.fdb.get(high, low)
    if (entry === undefined) return this.#flood(from, packet, false)
    if (from !== undefined && (entry.state === 'permanent' || entry.port === undefined)) {
      return this.#passUp(packet)
    }
    const to = entry.port
    // What the host itself sends to an address of its own that is a port's leaves by that port (br_dev_xmit).
    if (to === undefined) return drop(netns, this, packet, 'NOT_FOR_THIS_HOST', 'ethernet')
    if (to === from && !to.hairpin) return drop(netns, from.device, packet, 'HAIRPIN_OFF', 'ethernet')
    if (to.isolated && from?.isolated) return drop(netns, from.device, packet, 'PORT_ISOLATED', 'ethernet')
    if (this.simulation.tracing) {
      const because = { bridge: this.name, mac: entry.mac, port: to.device.name, entry: entry.state }
      hop(netns, from?.device ?? this, packet, 'bridge', 'FDB_HIT', because, 'ethernet')
    }
    this.#leave(to, packet)
  }

  /** Whether the MAC address at `bytes[at]` is this host's: the bridge's or a port's. */
  isOwn(bytes: Uint8Array, at: number): boolean {
    const high = u16At(bytes, at)
    const low = i32At(bytes, at + 2)
    if (high === this.macHigh && low === this.macLow) return true
    return this.fdb.get(high, low)?.state === 'permanent'
  }

  #takes(to: BridgePort, from: BridgePort | undefined, group: boolean): boolean {
    if (!to.forwarding || (!group && !to.flood)) return false
    if (to === from && !to.hairpin) return false
    return !(to.isolated && from?.isolated)
  }

  #flood(from: BridgePort | undefined, packet: Packet, group: boolean): void {
    if (this.simulation.tracing) this.#hopFlood(from, packet, group)
    const upwards = group && from !== undefined
    let last: BridgePort | undefined
    for (const to of this.ports) {
      if (!this.#takes(to, from, group)) continue
      if (last !== undefined) this.#leave(last, packet.clone())
      last = to
    }
    if (last !== undefined) this.#leave(last, upwards ? packet.clone() : packet)
    if (upwards) this.#passUp(packet)
    else if (last === undefined) drop(this.netns, this, packet, 'NOT_FOR_THIS_HOST', 'ethernet')
  }

  #hopFlood(from: BridgePort | undefined, packet: Packet, group: boolean): void {
    const ports = this.ports.filter((to) => this.#takes(to, from, group)).map(({ device }) => device.name)
    const because = { bridge: this.name, ports: ports.join(' ') }
    const reason = group ? 'BROADCAST' : 'FDB_FLOOD'
    hop(this.netns, from?.device ?? this, packet, 'bridge', reason, because, 'ethernet')
  }

  #leave(to: BridgePort, packet: Packet): void {
    if (packet.length > to.device.mtu + ETHERNET + VLAN_ROOM) {
      return drop(this.netns, to.device, packet, 'TOO_BIG', 'ethernet')
    }
    to.device.transmit(packet)
  }

  #passUp(packet: Packet): void {
    if (this.simulation.tracing) {
      hop(this.netns, this, packet, 'bridge', 'LOCAL_ADDRESS', NOTHING, 'ethernet')
    }
    this.receive(packet)
  }

  protected send(packet: Packet): void {
    this.decide(undefined, packet)
  }

  row(): BridgeLink {
    return { kind: 'bridge', ...this.facts, ageing: this.ageing }
  }

  /** Makes the bridge itself the destination of a frame, where translation turned a bridged packet into a routed one. */
  takeOver(packet: Packet): void {
    setU16At(packet.bytes, packet.start, this.macHigh)
    setU32At(packet.bytes, packet.start + 2, this.macLow)
    this.receive(packet)
  }
}
