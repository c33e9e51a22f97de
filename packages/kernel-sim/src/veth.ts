import type { VethLink } from '@podfabric/kernel'
import { Device } from './device.ts'
import { ETHERNET, VLAN_ROOM } from './frame.ts'
import { drop } from './hops.ts'
import type { Packet } from './packet.ts'

/** One end of a pair: what is sent at one end arrives at the other. */
export class Veth extends Device {
  readonly kind = 'veth'
  peer: Veth | undefined

  get carrier(): boolean {
    return this.peer?.up ?? false
  }

  protected send(packet: Packet): void {
    const peer = this.peer as Veth
    if (packet.length > peer.mtu + ETHERNET + VLAN_ROOM) {
      return drop(peer.netns, peer, packet, 'TOO_BIG', 'ethernet')
    }
    packet.scrub(peer.netns !== this.netns)
    this.deliver(peer, packet)
  }

  protected override upChanged(): void {
    this.peer?.refresh()
  }

  row(): VethLink {
    return { kind: 'veth', ...this.facts, peerIndex: this.peer?.index ?? 0 }
  }
}
