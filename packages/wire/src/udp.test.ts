import { parseIpv4, parseIpv6 } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addresses, octets, u16 } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { testCodec } from '../test/test-codec.ts'
import type { TransportChecksum } from './codec.ts'
import { udp } from './udp.ts'

const veth = frames('linux-veth.hex')
const v4 = { source: parseIpv4('10.0.0.1'), destination: parseIpv4('10.0.0.2') }
const v6 = { source: parseIpv6('fd00::1'), destination: parseIpv6('fd00::2') }
const overIpv4 = veth.get('udp over ipv4')?.subarray(34) ?? new Uint8Array()
const overIpv6 = veth.get('udp over ipv6')?.subarray(54) ?? new Uint8Array()

testCodec(udp, {
  examples: [
    { header: { sourcePort: 0, destinationPort: 0 }, checksums: v4 },
    { header: { sourcePort: 65535, destinationPort: 4789 }, payload: Uint8Array.of(1, 2, 3), checksums: v6 },
  ],
  captured: [
    { bytes: overIpv4, checksums: v4 },
    { bytes: overIpv6, checksums: v6 },
  ],
  unchecked: 'unchecked' as TransportChecksum,
  cuts: 'anywhere',
  arbitrary: fc.record({
    header: fc.record({ sourcePort: u16, destinationPort: u16 }),
    payload: octets(64),
    checksums: fc.oneof(addresses, fc.constant('unchecked' as const)),
  }),
})

describe('udp', () => {
  it('reads what Linux sent', () => {
    const { header, payload } = udp.decode(overIpv4, v4)
    expect(header.destinationPort).toBe(9999)
    expect(new TextDecoder().decode(payload)).toBe('hello udp')
  })

  it('refuses the right octets between other addresses', () => {
    const elsewhere = { ...v4, source: parseIpv4('10.0.0.3') }
    expect(() => udp.decode(overIpv4, elsewhere)).toThrow(
      expect.objectContaining({ code: 'WIRE_CHECKSUM', offset: 6 }),
    )
  })

  it('takes a checksum of zero as none over IPv4 and as wrong over IPv6', () => {
    const packet = new Uint8Array(8)
    udp.encode({ sourcePort: 1, destinationPort: 2 }, packet, 'unchecked')
    expect(udp.decode(packet, v4).header.destinationPort).toBe(2)
    expect(() => udp.decode(packet, v6)).toThrow(expect.objectContaining({ code: 'WIRE_CHECKSUM' }))
  })

  it('sends a computed checksum of zero as all ones', () => {
    const packet = new Uint8Array(10)
    udp.encode({ sourcePort: 1, destinationPort: 2 }, packet, v4)
    // A payload equal to the checksum so far makes the sum all ones, the checksum zero.
    packet.copyWithin(8, 6, 8)
    const payload = packet.slice(8)
    const zeroed = new Uint8Array(10)
    zeroed.set(payload, 8)
    udp.encode({ sourcePort: 1, destinationPort: 2 }, zeroed, v4)
    expect([...zeroed.subarray(6, 8)]).toEqual([0xff, 0xff])
    expect(udp.decode(zeroed, v4).payload).toEqual(payload)
  })

  it('drops what follows its length', () => {
    const packet = new Uint8Array(12)
    udp.encode({ sourcePort: 1, destinationPort: 2 }, packet.subarray(0, 8), v4)
    expect(udp.decode(packet, v4).payload.length).toBe(0)
  })

  it('tells a caller without addresses what is missing', () => {
    const packet = new Uint8Array(8)
    expect(() => udp.encode({ sourcePort: 1, destinationPort: 70_000 }, packet, 'unchecked')).toThrow(
      RangeError,
    )
    packet[5] = 8
    // 'checked' is not of the type; encodePacket can pass it when no IP layer encloses the segment.
    const checked = 'checked' as unknown as TransportChecksum
    expect(() => udp.decode(packet, checked)).toThrow(TypeError)
  })
})
