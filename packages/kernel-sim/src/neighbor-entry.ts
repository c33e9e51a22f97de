import type { Neighbor, NeighborState } from '@podfabric/kernel'
import { type Ip, type Mac, macFromBytes } from '@podfabric/netaddr'
import { setU16At, setU32At } from '@podfabric/wire'
import type { Packet } from './packet.ts'

/** One neighbor of one link: what is known of the MAC address behind an IP address (RFC 4861 section 7.3.2). */
export class NeighborEntry {
  readonly address: Ip
  /** The address in network order: 4 or 16 octets. */
  readonly octets: Uint8Array
  state: NeighborState = 'incomplete'
  hasMac = false
  macHigh = 0
  macLow = 0
  protocol: number | undefined
  /** When it last proved to be there. */
  confirmed = 0
  probes = 0
  /** It is in no table any more. */
  gone = false
  timer: Disposable | undefined
  /** IP packets that wait for the MAC address. */
  readonly waiting: Packet[] = []

  constructor(address: Ip, octets: Uint8Array) {
    this.address = address
    this.octets = octets
  }

  get mac(): Mac {
    const bytes = new Uint8Array(6)
    setU16At(bytes, 0, this.macHigh)
    setU32At(bytes, 2, this.macLow)
    return macFromBytes(bytes)
  }

  stopTimer(): void {
    this.timer?.[Symbol.dispose]()
    this.timer = undefined
  }

  row(link: string): Neighbor {
    return {
      link,
      address: this.address,
      ...(this.hasMac && this.state !== 'incomplete' && { mac: this.mac }),
      state: this.state,
      ...(this.protocol !== undefined && { protocol: this.protocol }),
    }
  }
}
