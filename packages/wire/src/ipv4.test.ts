import { parseIpv4 } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bits, ipv4Address, octets, u8, u16 } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { testCodec } from '../test/test-codec.ts'
import { fromHex } from './dissection-json.ts'
import { type Ipv4Header, type Ipv4Option, ipv4, ipv4Header } from './ipv4.ts'

const veth = frames('linux-veth.hex')
const captured = [...veth.values()]
  .filter((frame) => frame[12] === 8 && frame[13] === 0)
  .map((frame) => frame.subarray(14))

const full: Ipv4Header = {
  source: parseIpv4('10.244.1.2'),
  destination: parseIpv4('10.244.2.3'),
  protocol: 17,
  ttl: 1,
  identification: 0xbeef,
  dontFragment: true,
  moreFragments: true,
  fragmentOffset: 65_528,
  dscp: 46,
  ecn: 3,
  options: [
    { type: 1, data: new Uint8Array(0) },
    { type: 7, data: Uint8Array.of(4, 0, 0, 0, 0) },
  ],
}

const option: fc.Arbitrary<Ipv4Option> = fc.oneof(
  fc.constant({ type: 1, data: new Uint8Array(0) }),
  fc.record({ type: fc.integer({ min: 2, max: 255 }), data: octets(8) }),
)

testCodec(ipv4, {
  examples: [
    {
      header: ipv4Header({ source: full.source, destination: full.destination, protocol: 6 }),
      checksums: 'checked',
    },
    { header: full, payload: Uint8Array.of(1, 2, 3, 4, 5), checksums: 'checked' },
    { header: full, payload: Uint8Array.of(1), checksums: 'unchecked' },
  ],
  captured: captured.map((bytes) => ({ bytes, checksums: 'checked' })),
  unchecked: 'unchecked',
  cuts: 'anywhere',
  arbitrary: fc.record({
    header: fc.record({
      source: ipv4Address,
      destination: ipv4Address,
      protocol: u8,
      ttl: u8,
      identification: u16,
      dontFragment: fc.boolean(),
      moreFragments: fc.boolean(),
      fragmentOffset: bits(13).map((units) => units * 8),
      dscp: bits(6),
      ecn: bits(2),
      options: fc.array(option, { maxLength: 4 }),
    }),
    payload: octets(64),
    checksums: fc.constantFrom('checked', 'unchecked'),
  }),
})

// A header often used as the worked example of the checksum: b861.
const example = fromHex('4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7')

describe('ipv4', () => {
  it('drops link-layer padding after the total length', () => {
    const frame = new Uint8Array(46)
    ipv4.encode(
      ipv4Header({ source: full.source, destination: full.destination, protocol: 6 }),
      frame.subarray(0, 20),
      'checked',
    )
    expect(ipv4.decode(frame, 'checked').payload.length).toBe(0)
  })

  it('computes the checksum of a known header', () => {
    const packet = new Uint8Array(0x73)
    packet.set(example)
    const { header } = ipv4.decode(packet, 'checked')
    const again = new Uint8Array(0x73)
    ipv4.encode(header, again, 'checked')
    expect(again.subarray(0, 20)).toEqual(example)
  })

  it('notices every damaged octet of the header when checked, and believes it when told not to check', () => {
    const packet = new Uint8Array(0x73)
    packet.set(example)
    for (let at = 1; at < 20; at++) {
      const damaged = packet.slice()
      damaged[at] = (damaged[at] ?? 0) ^ 0x10
      expect(() => ipv4.decode(damaged, 'checked')).toThrow(
        expect.objectContaining({ code: 'WIRE_CHECKSUM' }),
      )
    }
    const otherTtl = packet.slice()
    otherTtl[8] = 1
    expect(ipv4.decode(otherTtl, 'unchecked').header.ttl).toBe(1)
  })

  it.each([
    ['another version', 0, 0x65, 'WIRE_MALFORMED', 0],
    ['a header length below 20', 0, 0x44, 'WIRE_MALFORMED', 0],
    ['a total length below the header', 3, 19, 'WIRE_MALFORMED', 2],
    ['the reserved flag', 6, 0xc0, 'WIRE_MALFORMED', 6],
    ['a total length beyond the packet', 3, 0x74, 'WIRE_TRUNCATED', 0x73],
  ])('refuses %s', (_, at, value, code, offset) => {
    const packet = new Uint8Array(0x73)
    packet.set(example)
    packet[at] = value
    expect(() => ipv4.decode(packet, 'unchecked')).toThrow(
      expect.objectContaining({ code, offset, protocol: 'ipv4' }),
    )
  })

  it('refuses an option that is longer than the header', () => {
    const packet = fromHex('46000018 00000000 40110000 c0a80001 c0a800c7 07050000')
    expect(() => ipv4.decode(packet, 'unchecked')).toThrow(
      expect.objectContaining({ code: 'WIRE_MALFORMED', offset: 20 }),
    )
  })

  it('refuses to encode what does not fit', () => {
    const header = ipv4Header({ source: full.source, destination: full.destination, protocol: 6 })
    expect(() => ipv4.encode(header, new Uint8Array(65_536), 'checked')).toThrow('total length 65536')
    expect(() => ipv4.encode({ ...header, ttl: 256 }, new Uint8Array(20), 'checked')).toThrow('ttl 256')
    expect(() => ipv4.encode({ ...header, fragmentOffset: 4 }, new Uint8Array(20), 'checked')).toThrow(
      'multiple of 8',
    )
    expect(() =>
      ipv4.encodingLength({ ...header, options: [{ type: 7, data: new Uint8Array(39) }] }),
    ).toThrow('at most 40')
  })
})
