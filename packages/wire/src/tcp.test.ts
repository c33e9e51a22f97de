import { parseIpv4, parseIpv6 } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addresses, bits, octets, u8, u16, u32 } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { testCodec } from '../test/test-codec.ts'
import type { TransportChecksum } from './codec.ts'
import { type TcpHeader, tcp, tcpFlags, tcpHeader } from './tcp.ts'
import type { TcpOption } from './tcp-option.ts'

const veth = frames('linux-veth.hex')
const there = { source: parseIpv4('10.0.0.1'), destination: parseIpv4('10.0.0.2') }
const back = { source: there.destination, destination: there.source }
const segment = (name: string): Uint8Array => veth.get(name)?.subarray(34) ?? new Uint8Array()

const full: TcpHeader = {
  sourcePort: 40_000,
  destinationPort: 443,
  sequence: 0xffff_fff0,
  acknowledgment: 0x8000_0000,
  flags: 0x1ff,
  window: 512,
  urgentPointer: 7,
  options: [
    { kind: 'mss', size: 1460 },
    { kind: 'sack-permitted' },
    { kind: 'timestamps', value: 0xdead_beef, echo: 1 },
    { kind: 'nop' },
    { kind: 'window-scale', shift: 7 },
    { kind: 'sack', blocks: [{ left: 1, right: 0xffff_ffff }] },
    { kind: 'other', type: 34, data: Uint8Array.of(1, 2, 3, 4) },
  ],
}

const option: fc.Arbitrary<TcpOption> = fc.oneof(
  fc.constant({ kind: 'nop' as const }),
  fc.constant({ kind: 'sack-permitted' as const }),
  fc.record({ kind: fc.constant('mss' as const), size: u16 }),
  fc.record({ kind: fc.constant('window-scale' as const), shift: u8 }),
  fc.record({ kind: fc.constant('timestamps' as const), value: u32, echo: u32 }),
  fc.record({
    kind: fc.constant('sack' as const),
    blocks: fc.array(fc.record({ left: u32, right: u32 }), { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constant('other' as const), type: fc.integer({ min: 9, max: 255 }), data: octets(8) }),
)
const fits = (options: readonly TcpOption[]): boolean => {
  try {
    tcp.encodingLength({ ...full, options })
    return true
  } catch {
    return false
  }
}

testCodec(tcp, {
  examples: [
    { header: tcpHeader({ sourcePort: 1, destinationPort: 2, sequence: 0, flags: 0 }), checksums: there },
    { header: full, payload: Uint8Array.of(1, 2, 3), checksums: there },
    {
      header: full,
      payload: Uint8Array.of(1),
      checksums: { source: parseIpv6('fd00::1'), destination: parseIpv6('fd00::2') },
    },
  ],
  captured: [
    { bytes: segment('tcp syn'), checksums: there },
    { bytes: segment('tcp syn-ack'), checksums: back },
    { bytes: segment('tcp ack'), checksums: there },
    { bytes: segment('tcp data'), checksums: there },
    { bytes: segment('tcp fin'), checksums: there },
  ],
  unchecked: 'unchecked' as TransportChecksum,
  arbitrary: fc.record({
    header: fc.record({
      sourcePort: u16,
      destinationPort: u16,
      sequence: u32,
      acknowledgment: u32,
      flags: bits(9),
      window: u16,
      urgentPointer: u16,
      options: fc.array(option, { maxLength: 6 }).filter(fits),
    }),
    payload: octets(64),
    checksums: fc.oneof(addresses, fc.constant('unchecked' as const)),
  }),
})

describe('tcp', () => {
  it('reads the options that Linux sends', () => {
    const { header } = tcp.decode(segment('tcp syn'), there)
    expect(header.flags).toBe(tcpFlags.syn)
    expect(header.options).toEqual([
      { kind: 'mss', size: 1460 },
      { kind: 'sack-permitted' },
      { kind: 'timestamps', value: 3122346055, echo: 0 },
      { kind: 'nop' },
      { kind: 'window-scale', shift: 10 },
    ])
  })

  it('notices a damaged octet anywhere', () => {
    const good = segment('tcp data')
    for (let at = 0; at < good.length; at++) {
      const damaged = good.slice()
      damaged[at] = (damaged[at] ?? 0) ^ 1
      expect(() => tcp.decode(damaged, there)).toThrow(expect.objectContaining({ name: 'WireError' }))
    }
  })

  it('keeps a known option of an unexpected length as it is', () => {
    const data = Uint8Array.of(1, 2, 3)
    const header = { ...full, options: [{ kind: 'other', type: 2, data } as const] }
    const packet = new Uint8Array(28)
    tcp.encode(header, packet, 'unchecked')
    expect(tcp.decode(packet, 'unchecked').header.options).toEqual(header.options)
  })

  it('refuses a data offset below 20 octets and options that do not fit', () => {
    const packet = new Uint8Array(24)
    tcp.encode(tcpHeader({ sourcePort: 1, destinationPort: 2, sequence: 0, flags: 0 }), packet, 'unchecked')
    packet[12] = 0x40
    expect(() => tcp.decode(packet, 'unchecked')).toThrow(
      expect.objectContaining({ code: 'WIRE_MALFORMED', offset: 12 }),
    )
    packet[12] = 0x60
    packet[20] = 8
    packet[21] = 10
    expect(() => tcp.decode(packet, 'unchecked')).toThrow(
      expect.objectContaining({ code: 'WIRE_MALFORMED', offset: 20 }),
    )
  })
})
