import type { LoopbackLink } from '@podfabric/kernel'
import { Device } from './device.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'

/** `lo`: what is sent arrives. */
export class Loopback extends Device {
  readonly kind = 'loopback'

  constructor(netns: NetworkNamespace) {
    super(netns, 'lo')
    this.mtu = 65_536
  }

  get carrier(): boolean {
    return true
  }

  override get maxMtu(): number {
    return 0x7fff_ffff
  }

  protected send(packet: Packet): void {
    this.deliver(this, packet)
  }

  row(): LoopbackLink {
    return { kind: 'loopback', ...this.facts }
  }
}
