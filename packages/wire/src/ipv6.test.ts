import { parseIpv6 } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bits, ipv6Address, octets, octetsOf, u8, u32 } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { testCodec } from '../test/test-codec.ts'
import { toHex } from './dissection-json.ts'
import { type Ipv6Header, ipv6, ipv6Header } from './ipv6.ts'
import type { Ipv6Extension, Ipv6Option } from './ipv6-extension.ts'

const veth = frames('linux-veth.hex')
const captured = [...veth.values()].filter((frame) => frame[12] === 0x86).map((frame) => frame.subarray(14))
const plain = ipv6Header({ source: parseIpv6('fd00::1'), destination: parseIpv6('fd00::2'), nextHeader: 17 })
const full: Ipv6Header = {
  ...plain,
  nextHeader: 6,
  hopLimit: 1,
  dscp: 46,
  ecn: 1,
  flowLabel: 0xabcde,
  extensions: [
    {
      kind: 'hop-by-hop',
      options: [
        { type: 5, data: Uint8Array.of(0, 0) },
        { type: 1, data: Uint8Array.of(0) },
        { type: 0x3e, data: Uint8Array.of(7) },
      ],
    },
    { kind: 'routing', type: 4, segmentsLeft: 1, data: new Uint8Array(20).fill(3) },
    { kind: 'fragment', offset: 0, moreFragments: true, identification: 0xdeadbeef },
    { kind: 'destination-options', options: [] },
  ],
}

const option: fc.Arbitrary<Ipv6Option> = fc.oneof(
  fc.record({ type: fc.integer({ min: 2, max: 255 }), data: octets(12) }),
  fc.constant({ type: 0, data: new Uint8Array(0) }),
  fc.record({ type: fc.constant(1), data: octets(4) }),
)
/** Padding at the end is encode's own business. */
const options = fc.array(option, { maxLength: 4 }).map((list) => {
  const last = list.findLastIndex(({ type }) => type > 1)
  return list.slice(0, last + 1)
})
const extension: fc.Arbitrary<Ipv6Extension> = fc.oneof(
  fc.record({ kind: fc.constant('destination-options'), options }),
  fc.record({ kind: fc.constant('routing'), type: u8, segmentsLeft: u8, data: octetsOf(4, 12, 20) }),
  fc.record({
    kind: fc.constant('fragment'),
    offset: fc.constant(0),
    moreFragments: fc.boolean(),
    identification: u32,
  }),
)
const hopByHop = fc.record({ kind: fc.constant('hop-by-hop'), options })
const laterFragment = fc.record({
  kind: fc.constant('fragment'),
  offset: fc.integer({ min: 1, max: 8191 }).map((units) => units * 8),
  moreFragments: fc.boolean(),
  identification: u32,
})
const upperProtocol = u8.filter((protocol) => ![0, 43, 44, 60].includes(protocol))

testCodec(ipv6, {
  examples: [
    { header: plain, checksums: undefined },
    { header: full, payload: Uint8Array.of(1, 2, 3), checksums: undefined },
  ],
  captured: captured.map((bytes) => ({ bytes, checksums: undefined })),
  unchecked: undefined,
  cuts: 'anywhere',
  arbitrary: fc.record({
    header: fc.record({
      source: ipv6Address,
      destination: ipv6Address,
      nextHeader: upperProtocol,
      hopLimit: u8,
      dscp: bits(6),
      ecn: bits(2),
      flowLabel: bits(20),
      extensions: fc
        .tuple(
          fc.array(hopByHop, { maxLength: 1 }),
          fc.array(extension, { maxLength: 3 }),
          fc.array(laterFragment, { maxLength: 1 }),
        )
        .map((parts) => parts.flat()),
    }),
    payload: octets(64),
    checksums: fc.constant(undefined),
  }),
})

describe('ipv6', () => {
  it('chains next headers through the extensions to the upper protocol', () => {
    const packet = new Uint8Array(ipv6.encodingLength(full))
    ipv6.encode(full, packet)
    expect([packet[6], packet[40], packet[56], packet[80], packet[88]]).toEqual([0, 43, 44, 60, 6])
  })

  it('pads options with Pad1 and PadN', () => {
    const options = (length: number): Ipv6Header => ({
      ...plain,
      extensions: [{ kind: 'destination-options', options: [{ type: 9, data: new Uint8Array(length) }] }],
    })
    const encoded = (header: Ipv6Header): string => {
      const packet = new Uint8Array(ipv6.encodingLength(header))
      ipv6.encode(header, packet)
      return toHex(packet.subarray(40))
    }
    expect(encoded(options(3))).toBe('1100' + '0903000000' + '00')
    expect(encoded(options(1))).toBe('1100' + '090100' + '010100')
  })

  it('stops at a later fragment, whose octets are no header', () => {
    const fragment = { kind: 'fragment', offset: 8, moreFragments: false, identification: 1 } as const
    const header = { ...plain, nextHeader: 60, extensions: [fragment] }
    const packet = new Uint8Array(48)
    ipv6.encode(header, packet)
    expect(ipv6.decode(packet).header).toEqual(header)
  })

  it('refuses a hop-by-hop header that is not first', () => {
    const packet = new Uint8Array(56)
    const empty = { kind: 'destination-options', options: [] } as const
    ipv6.encode({ ...plain, extensions: [empty, empty] }, packet)
    packet[40] = 0
    expect(() => ipv6.decode(packet)).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED', offset: 48 }))
    const hop = { kind: 'hop-by-hop', options: [] } as const
    expect(() => ipv6.encode({ ...plain, extensions: [empty, hop] }, packet)).toThrow('only be the first')
  })

  it('refuses an option that is longer than its header', () => {
    const packet = new Uint8Array(48)
    ipv6.encode({ ...plain, extensions: [{ kind: 'hop-by-hop', options: [] }] }, packet)
    packet[42] = 9
    packet[43] = 200
    expect(() => ipv6.decode(packet)).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED', offset: 42 }))
  })
})
