import { mac } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mac as anyMac, bits, octets } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { testCodec } from '../test/test-codec.ts'
import { fromHex, toHex } from './dissection-json.ts'
import { type EthernetHeader, ethernet, ethernetHeader, type VlanTag } from './ethernet.ts'

const plain = ethernetHeader({
  destination: mac('02:00:00:00:00:02'),
  source: mac('02:00:00:00:00:01'),
  type: 0x0800,
})
const tagged: EthernetHeader = {
  ...plain,
  tags: [
    { protocol: 0x88a8, priority: 7, dropEligible: true, id: 4095 },
    { protocol: 0x8100, priority: 1, dropEligible: false, id: 5 },
  ],
}

const tag: fc.Arbitrary<VlanTag> = fc.record({
  protocol: fc.constantFrom(0x8100, 0x88a8),
  priority: bits(3),
  dropEligible: fc.boolean(),
  id: bits(12),
})
const type = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0x600, max: 0xffff }).filter((t) => t !== 0x8100 && t !== 0x88a8),
)

testCodec(ethernet, {
  examples: [
    { header: plain, payload: Uint8Array.of(1, 2, 3), checksums: undefined },
    { header: tagged, payload: Uint8Array.of(9), checksums: undefined },
    { header: { ...tagged, type: 0 }, payload: Uint8Array.of(0x42, 0x42, 3), checksums: undefined },
  ],
  captured: [...frames('linux-veth.hex').values()].map((bytes) => ({ bytes, checksums: undefined })),
  unchecked: undefined,
  arbitrary: fc.record({
    header: fc.record({ destination: anyMac, source: anyMac, tags: fc.array(tag, { maxLength: 3 }), type }),
    payload: octets(64),
    checksums: fc.constant(undefined),
  }),
})

describe('ethernet', () => {
  it('writes a tag between the addresses and the type', () => {
    const packet = new Uint8Array(18)
    const vlan = { protocol: 0x8100, priority: 3, dropEligible: false, id: 100 } as const
    ethernet.encode({ ...plain, tags: [vlan] }, packet)
    expect(toHex(packet)).toBe('020000000002' + '020000000001' + '8100' + '6064' + '0800')
  })

  it('drops the padding after an IEEE 802.3 payload', () => {
    const frame = fromHex('0180c2000000 020000000001 0003 424203 000000000000')
    expect(ethernet.decode(frame)).toEqual({
      header: { destination: '01:80:c2:00:00:00', source: '02:00:00:00:00:01', tags: [], type: 0 },
      payload: Uint8Array.of(0x42, 0x42, 3),
    })
  })

  it('refuses the numbers between the longest length and the first type', () => {
    const frame = fromHex('0180c2000000 020000000001 05dd')
    expect(() => ethernet.decode(frame)).toThrow(
      expect.objectContaining({ code: 'WIRE_MALFORMED', offset: 12 }),
    )
  })

  it('refuses to encode values that have no place in a header', () => {
    const packet = new Uint8Array(32)
    const vlan = { protocol: 0x8100, priority: 0, dropEligible: false, id: 4096 } as const
    expect(() => ethernet.encode({ ...plain, tags: [vlan] }, packet)).toThrow(RangeError)
    expect(() => ethernet.encode({ ...plain, type: 0x8100 }, packet)).toThrow('put it into tags')
    expect(() => ethernet.encode({ ...plain, type: 46 }, packet)).toThrow('is a length')
    expect(() => ethernet.encode(plain, new Uint8Array(13))).toThrow('takes 14 octets')
  })
})
