import { parseIpv4 as ip, mac } from '@podfabric/netaddr'
import {
  dissect,
  encodePacket,
  ethernet,
  ethernetHeader,
  formatPacket,
  ipv4,
  ipv4Header,
  layer,
  udp,
} from '@podfabric/wire'
import { describe, expect, it } from 'vitest'
import { overlayFormatters } from './overlay-formatters.ts'
import { overlayProtocols } from './overlay-protocols.ts'
import { VXLAN_PORT_LINUX, vxlan } from './vxlan.ts'

const link = layer(
  ethernet,
  ethernetHeader({ source: mac('02:00:00:00:00:01'), destination: mac('02:00:00:00:00:02'), type: 0x0800 }),
)
const outer = layer(
  ipv4,
  ipv4Header({ source: ip('192.168.0.1'), destination: ip('192.168.0.2'), protocol: 17 }),
)
const inner = layer(
  ipv4,
  ipv4Header({ source: ip('10.244.1.2'), destination: ip('10.244.2.3'), protocol: 17 }),
)
const tunnel = layer(udp, { sourcePort: 50000, destinationPort: VXLAN_PORT_LINUX })
const ports = layer(udp, { sourcePort: 1, destinationPort: 2 })
const packet = encodePacket(
  [link, outer, tunnel, layer(vxlan, { vni: 1 }), link, inner, ports],
  Uint8Array.of(7),
)

describe('overlayProtocols', () => {
  it('reads the inner packet of a tunnel', () => {
    const { layers, errors, payload } = dissect(packet, { protocols: overlayProtocols })
    expect(errors).toEqual([])
    expect(layers.map(({ protocol }) => protocol)).toEqual([
      'ethernet',
      'ipv4',
      'udp',
      'vxlan',
      'ethernet',
      'ipv4',
      'udp',
    ])
    expect([...payload]).toEqual([7])
  })
})

describe('overlayFormatters', () => {
  it('shows outer and inner headers in one line', () => {
    const dissection = dissect(packet, { protocols: overlayProtocols })
    expect(formatPacket(dissection, { formatters: overlayFormatters })).toBe(
      'IP 192.168.0.1.50000 > 192.168.0.2.8472: VXLAN, vni 1: IP 10.244.1.2.1 > 10.244.2.3.2: UDP, length 1',
    )
  })
})
