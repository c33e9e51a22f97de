import type { DeviceLink } from '@podfabric/kernel'
import { Device } from './device.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'

/** The segment that a network card is plugged into, as far as the card sees it. */
export interface Cable {
  /** Whether the cable is whole. */
  readonly connected: boolean
  carry(packet: Packet): void
}

/** A node's network card. */
export class Nic extends Device {
  readonly kind = 'device'
  readonly #cable: Cable

  constructor(netns: NetworkNamespace, name: string, cable: Cable) {
    super(netns, name)
    this.#cable = cable
  }

  get carrier(): boolean {
    return this.#cable.connected
  }

  protected send(packet: Packet): void {
    packet.scrub(true)
    this.#cable.carry(packet)
  }

  row(): DeviceLink {
    return { kind: 'device', ...this.facts }
  }
}
