import type { VxlanLink } from '@podfabric/kernel'
import {
  type Ip,
  type Ipv4,
  ipFromBytes,
  ipToBytes,
  ipv4FromNumber,
  ipv4ToNumber,
  isV4,
} from '@podfabric/netaddr'
import { overhead, prepareVxlan } from '@podfabric/overlay'
import { etherTypes, flowHashAt, u16At } from '@podfabric/wire'
import { Device } from './device.ts'
import { ETHERNET } from './frame.ts'
import { drop, hop } from './hops.ts'
import { ipv4Output, leads } from './ipv4-output.ts'
import { ipv6Output } from './ipv6-output.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'
import type { RouteEntry } from './route-entry.ts'
import { VxlanFdb, type VxlanFdbEntry, type VxlanRemote } from './vxlan-fdb.ts'
import { joinVxlanPort, leaveVxlanPort } from './vxlan-port.ts'

const UNSPECIFIED = new Uint8Array(16)
const OVERHEAD = { 4: overhead('vxlan', 4), 6: overhead('vxlan', 6) }

/** A tunnel end (RFC 7348): Ethernet frames in UDP datagrams between nodes. */
export class Vxlan extends Device {
  readonly kind = 'vxlan'
  readonly vni: number
  readonly udpPort: number
  readonly local: Ip | undefined
  /** Of the outer packets. */
  readonly outerFamily: 4 | 6
  readonly learning: boolean
  /** The link that outer packets leave by. */
  readonly underlay: Device | undefined
  /** Where outer packets come and go: the namespace that it was made in, wherever the link moves. */
  readonly home: NetworkNamespace
  readonly fdb = new VxlanFdb(this)
  readonly #local4: number
  readonly #local6: Uint8Array | undefined

  constructor(
    netns: NetworkNamespace,
    name: string,
    facts: {
      readonly vni: number
      readonly udpPort: number
      readonly local: Ip | undefined
      readonly underlay: Device | undefined
      readonly learning: boolean
    },
  ) {
    super(netns, name)
    this.home = netns
    this.vni = facts.vni
    this.udpPort = facts.udpPort
    this.local = facts.local
    this.outerFamily = facts.local === undefined || isV4(facts.local) ? 4 : 6
    this.underlay = facts.underlay
    this.learning = facts.learning
    this.#local4 = facts.local !== undefined && isV4(facts.local) ? ipv4ToNumber(facts.local as Ipv4) | 0 : 0
    this.#local6 = facts.local !== undefined && !isV4(facts.local) ? ipToBytes(facts.local) : undefined
    if (facts.underlay !== undefined) this.mtu = this.maxMtu
  }

  get carrier(): boolean {
    return true
  }

  override get maxMtu(): number {
    return this.underlay === undefined ? super.maxMtu : this.underlay.mtu - OVERHEAD[this.outerFamily]
  }

  /** EADDRINUSE where a socket has the port. Before the link goes up. */
  open(operation: string): void {
    joinVxlanPort(this, operation)
  }

  protected override upChanged(): void {
    if (this.up) return
    leaveVxlanPort(this)
    this.fdb.flush()
  }

  override removed(): void {
    leaveVxlanPort(this)
  }

  protected send(packet: Packet): void {
    const { bytes, start } = packet
    const entry = this.fdb.get(u16At(bytes, start), i32At(bytes, start + 2)) ?? this.fdb.get(0, 0)
    if (entry === undefined) return drop(this.netns, this, packet, 'NO_TUNNEL_PEER', 'ethernet')
    const { remotes } = entry
    const last = remotes.length - 1
    for (let i = 0; i < last; i++) this.#encapsulate(packet.clone(), entry, remotes[i] as VxlanRemote)
    this.#encapsulate(packet, entry, remotes[last] as VxlanRemote)
  }

  #encapsulate(packet: Packet, entry: VxlanFdbEntry, remote: VxlanRemote): void {
    const { home } = this
    const route =
      this.outerFamily === 4
        ? home.ipv4.output(remote.number, this.#local4, packet.mark, this.underlay)
        : home.ipv6.output(remote.words, this.#local6 ?? UNSPECIFIED, packet.mark, this.underlay)
    if (route === undefined || !leads(route)) {
      return drop(this.netns, this, packet, 'NO_ROUTE', 'ethernet', { peer: remote.ip })
    }
    if (route.device === this) return drop(this.netns, this, packet, 'LOOP', 'ethernet')
    const source = this.local ?? this.#sourceFor(route, remote)
    if (source === undefined) return drop(this.netns, this, packet, 'SOURCE_INVALID', 'ethernet')
    if (remote.prepared === undefined || remote.preparedFrom !== source) {
      const { vni, udpPort } = this
      remote.prepared = prepareVxlan({ source, destination: remote.ip, vni, udpPort })
      remote.preparedFrom = source
    }
    const { prepared } = remote
    this.#learnPathMtu(packet, route, remote)
    const sourcePort = this.#sourcePort(packet)
    packet.reserve(prepared.length)
    prepared.write(packet.view, packet.start, packet.length, sourcePort, home.nextIdentification())
    packet.start -= prepared.length
    packet.scrub(this.netns !== home)
    packet.input = undefined
    packet.group = false
    packet.family = this.outerFamily
    if (this.simulation.tracing) {
      const because = { vni: this.vni, mac: entry.mac, peer: remote.ip, source, udpPort: this.udpPort }
      hop(home, this.netns === home ? this : undefined, packet, 'encapsulate', 'TUNNEL_PEER', because, 'ip')
    }
    if (packet.family === 4) ipv4Output(home, packet, route)
    else ipv6Output(home, packet, route, false)
  }

  #sourceFor(route: RouteEntry, remote: VxlanRemote): Ip | undefined {
    if (this.outerFamily === 4) {
      const source = this.home.ipv4.sourceFor(route, remote.number)
      return source === 0 ? undefined : ipv4FromNumber(source)
    }
    const source = this.home.ipv6.sourceFor(route, remote.octets)
    return source && ipFromBytes(source)
  }

  /** From a hash of the inner flow, so that the underlay spreads flows; in the range of ephemeral ports, as Linux. */
  #sourcePort({ bytes, start, end }: Packet): number {
    const type = u16At(bytes, start + 12)
    const isIp = type === etherTypes.ipv4 || type === etherTypes.ipv6
    const hash = isIp ? flowHashAt(bytes, start + ETHERNET, end) : macHash(bytes, start)
    const [first, last] = this.home.sysctls.ports
    return first + Math.floor((hash / 0x1_0000_0000) * (last - first))
  }

  /**
   * An inner packet whose outer packet is too big for the path still goes, in fragments; but senders of this
   * namespace are told what would have fitted (skb_tunnel_check_pmtu). Not across a bridge.
   */
  #learnPathMtu({ bytes, start, end }: Packet, route: RouteEntry, remote: VxlanRemote): void {
    if (this.port !== undefined || u16At(bytes, start + 12) !== etherTypes.ipv4) return
    const { home } = this
    const path =
      this.outerFamily === 4 ? home.ipv4.mtuTo(remote.number, route) : home.ipv6.mtuTo(remote.words, route)
    const mtu = path - OVERHEAD[this.outerFamily]
    const inner = start + ETHERNET
    if (end - inner <= mtu || end - inner < 20) return
    this.netns.ipv4.learnMtu(i32At(bytes, inner + 16), mtu)
  }

  row(): VxlanLink {
    const { vni, udpPort, local, underlay, learning } = this
    return {
      kind: 'vxlan',
      ...this.facts,
      vni,
      udpPort,
      ...(local !== undefined && { local }),
      ...(underlay !== undefined && { underlay: underlay.name }),
      learning,
    }
  }
}

function macHash(bytes: Uint8Array, at: number): number {
  let hash = 0
  for (let i = 0; i < 12; i += 4) {
    hash = Math.imul(hash ^ i32At(bytes, at + i), 0x9e37_79b1)
    hash ^= hash >>> 15
  }
  return hash >>> 0
}
