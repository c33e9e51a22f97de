import { mac, parseIpv4, parseIpv6 } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { frames } from '../test/frames.ts'
import { toHex } from './dissection-json.ts'
import { ethernet, ethernetHeader, etherTypes } from './ethernet.ts'
import { icmpv6 } from './icmpv6.ts'
import { ipProtocols, ipv4, ipv4Header } from './ipv4.ts'
import { ipv6, ipv6Header } from './ipv6.ts'
import { encodePacket, layer } from './packet.ts'
import { udp } from './udp.ts'

const macs = { source: mac('02:00:00:00:00:01'), destination: mac('02:00:00:00:00:02') }
const a = parseIpv4('10.0.0.1')
const b = parseIpv4('10.0.0.2')
const outer = { source: parseIpv4('192.168.0.1'), destination: parseIpv4('192.168.0.2') }

describe('encodePacket', () => {
  it('makes the very octets that Linux sent', () => {
    const sent = frames('linux-veth.hex').get('udp over ipv4') ?? new Uint8Array()
    const { header: ip, payload } = ipv4.decode(sent.subarray(14), 'checked')
    const { header: ports, payload: data } = udp.decode(payload, ip)
    const packet = encodePacket(
      [
        layer(ethernet, ethernetHeader({ ...macs, type: etherTypes.ipv4 })),
        layer(ipv4, ipv4Header({ ...ip, source: a, destination: b })),
        layer(udp, ports),
      ],
      data,
    )
    expect(toHex(packet)).toBe(toHex(sent))
  })

  it('takes the pseudo-header from the nearest IP layer', () => {
    const inner = { source: parseIpv6('fd00::1'), destination: parseIpv6('fd00::2') }
    const packet = encodePacket([
      layer(ipv4, ipv4Header({ ...outer, protocol: ipProtocols.udp })),
      layer(udp, { sourcePort: 1, destinationPort: 4789 }),
      layer(ipv6, ipv6Header({ ...inner, nextHeader: ipProtocols.icmpv6 })),
      layer(icmpv6, { kind: 'echo-request', identifier: 1, sequence: 1 }),
    ])
    const datagram = udp.decode(ipv4.decode(packet, 'checked').payload, outer)
    expect(icmpv6.decode(ipv6.decode(datagram.payload).payload, inner).header.kind).toBe('echo-request')
  })

  it('leaves a checksum out where a layer says so', () => {
    const ports = { sourcePort: 1, destinationPort: 2 }
    const ip = ipv4Header({ source: a, destination: b, protocol: ipProtocols.udp })
    const packet = encodePacket([layer(ipv4, ip), layer(udp, ports, 'unchecked')])
    expect([...packet.subarray(26, 28)]).toEqual([0, 0])
  })

  it('copies the payload and leaves headroom before the packet', () => {
    const payload = Uint8Array.of(1, 2, 3)
    const packet = encodePacket([layer(ethernet, ethernetHeader({ ...macs, type: 0x0800 }))], payload, 50)
    payload.fill(9)
    expect(packet.byteOffset).toBe(50)
    expect([...packet.subarray(14)]).toEqual([1, 2, 3])
  })

  it('tells who lacks an IP layer around it', () => {
    const ports = layer(udp, { sourcePort: 1, destinationPort: 2 })
    expect(() => encodePacket([ports])).toThrow("pass them, or 'unchecked'")
  })
})
