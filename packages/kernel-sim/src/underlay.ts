import type { IfAddress, Mac } from '@podfabric/netaddr'
import { addressOf, isV4, parseIfAddress } from '@podfabric/netaddr'
import { u16At } from '@podfabric/wire'
import { ETHERNET } from './frame.ts'
import { drop } from './hops.ts'
import { addAddress4 } from './ipv4-address.ts'
import { addAddress6 } from './ipv6-address.ts'
import { MacTable } from './mac-table.ts'
import { type Cable, Nic } from './nic.ts'
import type { SimulatedNode } from './node.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'
import type { Simulation } from './simulation.ts'

/** One Ethernet segment between nodes: a switch, and a cable to each network card. */
export interface Underlay {
  readonly name: string
  /** Octets of the largest packet that passes, without the Ethernet header. Larger ones are lost without a word. */
  readonly mtu: number
  /** Plugs a network card of the node in, and sets it up. Its name, in the node's own namespace. */
  attach(node: string, options?: AttachOptions): string
  /** Milliseconds from card to card, and how many frames are lost on the way: 0 none, 1 all. */
  set(quality: { readonly latency?: number; readonly loss?: number }): void
  /** Pulls the cable of one node, or of all. */
  cut(node?: string): void
  heal(node?: string): void
}

export interface UnderlayOptions {
  /** Default `underlay`. */
  readonly name?: string
  /** Default 1500. */
  readonly mtu?: number
  /** Milliseconds. Default 0. */
  readonly latency?: number
  /** 0 to 1. Default 0. */
  readonly loss?: number
  /** Nodes to attach at once, by name. */
  readonly nodes?: readonly string[]
}

export interface AttachOptions {
  /** Default `eth0`, or the first `eth<n>` that is free. */
  readonly link?: string
  readonly mac?: Mac
  /** Default: the segment's. */
  readonly mtu?: number
  /** Usable at once, IPv6 ones too. */
  readonly addresses?: readonly IfAddress[]
}

interface Plug extends Cable {
  readonly node: string
  readonly nic: Nic
  cut: boolean
}

/** A frame on its way, and where it goes. */
interface Flight {
  readonly packet: Packet
  readonly plug: Plug
  readonly at: number
}

/** The segment itself. It knows every card's address; what it does not know goes to all. */
export class Segment implements Underlay {
  readonly name: string
  readonly mtu: number
  readonly #simulation: Simulation
  readonly #nodes: (name: string) => SimulatedNode
  readonly #plugs: Plug[] = []
  readonly #byMac = new MacTable()
  #macsKnown = false
  #latency: number
  #loss: number
  #cut = false
  /** In order of arrival, while the latency does not change. */
  readonly #flights: Flight[] = []
  #timer: Disposable | undefined

  constructor(simulation: Simulation, nodes: (name: string) => SimulatedNode, options: UnderlayOptions) {
    const { name = 'underlay', mtu = 1500, latency = 0, loss = 0 } = options
    this.#simulation = simulation
    this.#nodes = nodes
    this.name = name
    this.mtu = mtu
    this.#latency = checkLatency(latency)
    this.#loss = checkLoss(loss)
    for (const node of options.nodes ?? []) this.attach(node)
  }

  attach(node: string, options: AttachOptions = {}): string {
    const { host } = this.#nodes(node)
    const link = options.link ?? freeName((name) => host.find(name) !== undefined)
    if (host.find(link) !== undefined) throw new RangeError(`underlay: ${node} has a link ${link} already`)
    const plug = this.#plug(node, (cable) => {
      const nic = new Nic(host, link, cable)
      if (options.mac === undefined) nic.randomMac()
      else nic.setMac(options.mac)
      nic.mtu = options.mtu ?? this.mtu
      return nic
    })
    this.#plugs.push(plug)
    this.#macsKnown = false
    host.add(plug.nic)
    plug.nic.setUp(true)
    for (const text of options.addresses ?? []) {
      const address = parseIfAddress(text)
      const operation = `ip address add ${address} dev ${link}`
      if (isV4(addressOf(address))) addAddress4(plug.nic, { link, address }, operation)
      else addAddress6(plug.nic, { link, address, noDad: true }, operation)
    }
    this.#simulation.run()
    return link
  }

  #plug(node: string, make: (cable: Cable) => Nic): Plug {
    const segment = this
    const plug: { node: string; cut: boolean; nic: Nic | undefined } & Cable = {
      node,
      cut: false,
      nic: undefined,
      get connected() {
        return !this.cut && !segment.#cut
      },
      carry: (packet) => segment.#switch(plug as Plug, packet),
    }
    plug.nic = make(plug)
    return plug as Plug
  }

  set(quality: { readonly latency?: number; readonly loss?: number }): void {
    if (quality.latency !== undefined) this.#latency = checkLatency(quality.latency)
    if (quality.loss !== undefined) this.#loss = checkLoss(quality.loss)
  }

  cut(node?: string): void {
    this.#setCut(node, true)
  }

  heal(node?: string): void {
    this.#setCut(node, false)
  }

  #setCut(node: string | undefined, cut: boolean): void {
    if (node === undefined) this.#cut = cut
    const plugs = this.#plugs.filter((plug) => node === undefined || plug.node === node)
    if (node !== undefined && plugs.length === 0) {
      throw new RangeError(`underlay: ${node} is not attached to ${this.name}`)
    }
    for (const plug of plugs) {
      if (node !== undefined) plug.cut = cut
      plug.nic.refresh()
    }
    this.#simulation.run()
  }

  /** Takes the cards of a node away. */
  detach(node: string): void {
    for (const plug of this.#plugs.filter((candidate) => candidate.node === node)) {
      this.#plugs.splice(this.#plugs.indexOf(plug), 1)
      plug.cut = true
      this.#macsKnown = false
    }
  }

  #switch(from: Plug, packet: Packet): void {
    const { bytes, start } = packet
    if (packet.length > this.mtu + ETHERNET) {
      return drop(from.nic.netns, from.nic, packet, 'TOO_BIG', 'ethernet', {
        underlay: this.name,
        mtu: this.mtu,
      })
    }
    const group = ((bytes[start] as number) & 1) === 1
    const to = group ? undefined : this.#find(u16At(bytes, start), i32At(bytes, start + 2))
    if (to !== undefined) return to === from ? undefined : this.#carry(from, to, packet)
    const others = this.#plugs.filter((plug) => plug !== from)
    for (const [i, plug] of others.entries()) {
      this.#carry(from, plug, i === others.length - 1 ? packet : packet.clone())
    }
    if (others.length === 0) drop(from.nic.netns, from.nic, packet, 'NO_CARRIER', 'ethernet')
  }

  #find(high: number, low: number): Plug | undefined {
    if (!this.#macsKnown) {
      this.#macsKnown = true
      for (const [i, { nic }] of this.#plugs.entries()) this.#byMac.set(nic.macHigh, nic.macLow, i)
    }
    const at = this.#byMac.get(high, low)
    const plug = at < 0 ? undefined : this.#plugs[at]
    return plug?.nic.macLow === low && plug.nic.macHigh === high ? plug : undefined
  }

  #carry(from: Plug, to: Plug, packet: Packet): void {
    if (this.#loss > 0 && this.#simulation.random() < this.#loss) {
      return drop(from.nic.netns, from.nic, packet, 'LOST', 'ethernet', { underlay: this.name })
    }
    if (this.#latency === 0) return this.#arrive(to, packet)
    this.#flights.push({ packet, plug: to, at: this.#simulation.clock.now() + this.#latency })
    this.#wait()
  }

  #wait(): void {
    const [next] = this.#flights
    if (next === undefined || this.#timer !== undefined) return
    const { clock } = this.#simulation
    this.#timer = this.#simulation.after(Math.max(0, next.at - clock.now()), () => {
      this.#timer = undefined
      let landed = 0
      while ((this.#flights[landed]?.at ?? Number.POSITIVE_INFINITY) <= clock.now()) landed++
      for (const flight of this.#flights.splice(0, landed)) this.#arrive(flight.plug, flight.packet)
      this.#wait()
    })
  }

  #arrive(to: Plug, packet: Packet): void {
    const { nic } = to
    if (!to.connected) return drop(nic.netns, nic, packet, 'NO_CARRIER', 'ethernet', { underlay: this.name })
    if (!this.#simulation.queue.push(nic, packet)) drop(nic.netns, nic, packet, 'LOOP', 'ethernet')
  }
}

function freeName(isTaken: (name: string) => boolean): string {
  for (let i = 0; ; i++) if (!isTaken(`eth${i}`)) return `eth${i}`
}

function checkLatency(latency: number): number {
  if (latency >= 0 && Number.isFinite(latency)) return latency
  throw new RangeError(`underlay: a latency of ${latency} ms is no time`)
}

function checkLoss(loss: number): number {
  if (loss >= 0 && loss <= 1) return loss
  throw new RangeError(`underlay: loss is from 0 to 1, not ${loss}`)
}
