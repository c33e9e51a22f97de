import { mac, parseIpv6, prefix, prefixFrom } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mac as anyMac, ipv6Address, octets, octetsOf, u8, u16, u32 } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { testCodec } from '../test/test-codec.ts'
import type { TransportChecksum } from './codec.ts'
import { type Icmpv6Header, icmpv6, icmpv6Unreachable } from './icmpv6.ts'
import { ipv6 } from './ipv6.ts'
import type { NdOption } from './nd-option.ts'

const addresses = { source: parseIpv6('fe80::1'), destination: parseIpv6('ff02::1') }
const options: NdOption[] = [
  { kind: 'source-link-layer', mac: mac('02:00:00:00:00:01') },
  { kind: 'target-link-layer', mac: mac('02:00:00:00:00:02') },
  {
    kind: 'prefix-information',
    prefix: prefix('fd00:0:0:1::/64'),
    onLink: true,
    autonomous: true,
    validLifetime: 0xffff_ffff,
    preferredLifetime: 14_400,
  },
  { kind: 'mtu', mtu: 1450 },
  { kind: 'other', type: 14, data: Uint8Array.of(1, 2, 3, 4, 5, 6) },
]
const target = parseIpv6('fd00::2')
const plain: Icmpv6Header[] = [
  { kind: 'echo-request', identifier: 0, sequence: 0 },
  { kind: 'echo-reply', identifier: 0xffff, sequence: 0x0102 },
  { kind: 'unreachable', code: icmpv6Unreachable.address },
  { kind: 'packet-too-big', mtu: 1280 },
  { kind: 'time-exceeded', code: 1 },
  { kind: 'parameter-problem', code: 1, pointer: 0x0102_0304 },
  { kind: 'other', type: 143, code: 3, rest: 0xfedc_ba98 },
]
const discovery: Icmpv6Header[] = [
  { kind: 'router-solicitation', options: [] },
  {
    kind: 'router-advertisement',
    hopLimit: 64,
    managed: true,
    otherConfiguration: true,
    lifetime: 1800,
    reachableTime: 30_000,
    retransmitTimer: 1000,
    options,
  },
  { kind: 'neighbor-solicitation', target, options },
  { kind: 'neighbor-advertisement', router: true, solicited: true, override: true, target, options },
]

const anyOption: fc.Arbitrary<NdOption> = fc.oneof(
  fc.record({ kind: fc.constantFrom('source-link-layer', 'target-link-layer'), mac: anyMac }),
  fc.record({ kind: fc.constant('mtu' as const), mtu: u32 }),
  fc.record({
    kind: fc.constant('prefix-information' as const),
    prefix: fc.tuple(ipv6Address, fc.nat({ max: 128 })).map(([ip, length]) => prefixFrom(ip, length)),
    onLink: fc.boolean(),
    autonomous: fc.boolean(),
    validLifetime: u32,
    preferredLifetime: u32,
  }),
  fc.record({
    kind: fc.constant('other' as const),
    type: fc.integer({ min: 6, max: 255 }),
    data: octetsOf(6, 14),
  }),
)
const anyOptions = fc.array(anyOption, { maxLength: 3 })
const anyPlain: fc.Arbitrary<Icmpv6Header> = fc.oneof(
  fc.record({ kind: fc.constantFrom('echo-request', 'echo-reply'), identifier: u16, sequence: u16 }),
  fc.record({ kind: fc.constantFrom('unreachable', 'time-exceeded'), code: u8 }),
  fc.record({ kind: fc.constant('packet-too-big' as const), mtu: u32 }),
  fc.record({ kind: fc.constant('parameter-problem' as const), code: u8, pointer: u32 }),
  fc.record({
    kind: fc.constant('other' as const),
    type: fc.oneof(fc.integer({ min: 5, max: 127 }), fc.integer({ min: 137, max: 255 })),
    code: u8,
    rest: u32,
  }),
)
const anyDiscovery: fc.Arbitrary<Icmpv6Header> = fc.oneof(
  fc.record({ kind: fc.constant('router-solicitation' as const), options: anyOptions }),
  fc.record({
    kind: fc.constant('neighbor-solicitation' as const),
    target: ipv6Address,
    options: anyOptions,
  }),
  fc.record({
    kind: fc.constant('neighbor-advertisement' as const),
    router: fc.boolean(),
    solicited: fc.boolean(),
    override: fc.boolean(),
    target: ipv6Address,
    options: anyOptions,
  }),
  fc.record({
    kind: fc.constant('router-advertisement' as const),
    hopLimit: u8,
    managed: fc.boolean(),
    otherConfiguration: fc.boolean(),
    lifetime: u16,
    reachableTime: u32,
    retransmitTimer: u32,
    options: anyOptions,
  }),
)

const checksums = fc.oneof(
  fc.record({ source: ipv6Address, destination: ipv6Address }),
  fc.constant('unchecked' as const),
)

testCodec(icmpv6, {
  examples: [
    ...plain.map((header, i) => ({ header, payload: new Uint8Array(i), checksums: addresses })),
    ...discovery.map((header) => ({ header, checksums: addresses })),
  ],
  captured: [...frames('linux-veth.hex').values()]
    .filter((frame) => frame[12] === 0x86)
    .map((frame) => ipv6.decode(frame.subarray(14)))
    .filter(
      ({ header }) => header.nextHeader === 58 && !header.extensions.some(({ kind }) => kind === 'fragment'),
    )
    .map(({ header, payload }) => ({ bytes: payload, checksums: header })),
  unchecked: 'unchecked' as TransportChecksum,
  cuts: 'options',
  arbitrary: fc.oneof(
    fc.record({ header: anyPlain, payload: octets(64), checksums }),
    fc.record({ header: anyDiscovery, checksums }),
  ),
})

describe('icmpv6', () => {
  it('refuses an option of length zero, which would never end', () => {
    const packet = new Uint8Array(16)
    packet[0] = 133
    expect(() => icmpv6.decode(packet, 'unchecked')).toThrow(
      expect.objectContaining({ code: 'WIRE_MALFORMED', offset: 8 }),
    )
  })

  it('covers the addresses by its checksum', () => {
    const packet = new Uint8Array(8)
    icmpv6.encode({ kind: 'echo-request', identifier: 1, sequence: 2 }, packet, addresses)
    const other = { ...addresses, source: parseIpv6('fe80::2') }
    expect(() => icmpv6.decode(packet, other)).toThrow(
      expect.objectContaining({ code: 'WIRE_CHECKSUM', offset: 2 }),
    )
  })

  it('refuses a payload after a discovery message', () => {
    expect(() =>
      icmpv6.encode({ kind: 'router-solicitation', options: [] }, new Uint8Array(9), addresses),
    ).toThrow('no payload')
  })
})
