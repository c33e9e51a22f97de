import type { BridgePort as BridgePortRow } from '@podfabric/kernel'
import type { Bridge } from './bridge.ts'
import type { Device } from './device.ts'

/** A link's place in a bridge. */
export class BridgePort {
  readonly bridge: Bridge
  readonly device: Device
  hairpin = false
  learning = true
  flood = true
  isolated = false

  constructor(bridge: Bridge, device: Device) {
    this.bridge = bridge
    this.device = device
  }

  /** Whether frames pass: both the link and the bridge are up. */
  get forwarding(): boolean {
    return this.device.running && this.bridge.up
  }

  row(): BridgePortRow {
    const { hairpin, learning, flood, isolated } = this
    return { bridge: this.bridge.name, hairpin, learning, flood, isolated }
  }
}
