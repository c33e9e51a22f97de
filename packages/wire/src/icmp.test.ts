import { parseIpv4 } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4Address, octets, u8, u16, u32 } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { testCodec } from '../test/test-codec.ts'
import { type IcmpHeader, icmp, icmpUnreachable } from './icmp.ts'
import { ipv4 } from './ipv4.ts'
import { udp } from './udp.ts'

const veth = frames('linux-veth.hex')
const message = (name: string): Uint8Array => veth.get(name)?.subarray(34) ?? new Uint8Array()
const headers: IcmpHeader[] = [
  { kind: 'echo-request', identifier: 0, sequence: 0 },
  { kind: 'echo-reply', identifier: 0xffff, sequence: 0x0102 },
  { kind: 'unreachable', code: icmpUnreachable.prohibited },
  { kind: 'fragmentation-needed', mtu: 1450 },
  { kind: 'redirect', code: 1, gateway: parseIpv4('10.0.0.254') },
  { kind: 'time-exceeded', code: 1 },
  { kind: 'parameter-problem', code: 0, pointer: 20 },
  { kind: 'other', type: 13, code: 1, rest: 0xfedc_ba98 },
]

const known = new Set([0, 3, 5, 8, 11, 12])
const header: fc.Arbitrary<IcmpHeader> = fc.oneof(
  fc.record({ kind: fc.constantFrom('echo-request', 'echo-reply'), identifier: u16, sequence: u16 }),
  fc.record({ kind: fc.constant('unreachable' as const), code: u8.filter((code) => code !== 4) }),
  fc.record({ kind: fc.constant('fragmentation-needed' as const), mtu: u16 }),
  fc.record({ kind: fc.constant('redirect' as const), code: u8, gateway: ipv4Address }),
  fc.record({ kind: fc.constant('time-exceeded' as const), code: u8 }),
  fc.record({ kind: fc.constant('parameter-problem' as const), code: u8, pointer: u8 }),
  fc.record({
    kind: fc.constant('other' as const),
    type: u8.filter((type) => !known.has(type)),
    code: u8,
    rest: u32,
  }),
)

testCodec(icmp, {
  examples: headers.map((header, i) => ({ header, payload: new Uint8Array(i), checksums: 'checked' })),
  captured: ['icmp echo request', 'icmp echo reply', 'icmp port unreachable'].map((name) => ({
    bytes: message(name),
    checksums: 'checked',
  })),
  unchecked: 'unchecked',
  arbitrary: fc.record({ header, payload: octets(64), checksums: fc.constantFrom('checked', 'unchecked') }),
})

describe('icmp', () => {
  it('quotes the datagram that an error is about', () => {
    const { header, payload } = icmp.decode(message('icmp port unreachable'), 'checked')
    expect(header).toEqual({ kind: 'unreachable', code: icmpUnreachable.port })
    const quoted = ipv4.decode(payload, 'checked')
    expect(quoted.header.destination).toBe('10.0.0.2')
    expect(udp.decode(quoted.payload, quoted.header).header.destinationPort).toBe(9999)
  })

  it('notices a damaged octet anywhere', () => {
    const good = message('icmp echo request')
    for (let at = 0; at < good.length; at++) {
      const damaged = good.slice()
      damaged[at] = (damaged[at] ?? 0) ^ 1
      expect(() => icmp.decode(damaged, 'checked')).toThrow(
        expect.objectContaining({ code: 'WIRE_CHECKSUM' }),
      )
    }
  })

  it('refuses to write code 4 as a plain unreachable', () => {
    expect(() => icmp.encode({ kind: 'unreachable', code: 4 }, new Uint8Array(8), 'checked')).toThrow(
      'fragmentation-needed',
    )
  })
})
