import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { vxlan } from './vxlan.ts'

const vni = fc.integer({ min: 0, max: 0xff_ffff })

describe('vxlan', () => {
  it('writes the octets of RFC 7348 section 5', () => {
    const packet = new Uint8Array(8).fill(0xa5)
    vxlan.encode({ vni: 0x12_34_56 }, packet)
    expect([...packet]).toEqual([0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0])
  })

  it('reads back what it wrote, and gives the rest as a view', () => {
    fc.assert(
      fc.property(vni, fc.uint8Array({ maxLength: 40 }), (vni, inner) => {
        const packet = new Uint8Array(8 + inner.length)
        packet.set(inner, 8)
        vxlan.encode({ vni }, packet)
        const { header, payload } = vxlan.decode(packet)
        expect(header).toEqual({ vni })
        expect(payload).toEqual(inner)
        expect(payload.buffer).toBe(packet.buffer)
      }),
    )
  })

  it('ignores reserved bits', () => {
    const packet = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xff)
    expect(vxlan.decode(packet).header).toEqual({ vni: 1 })
  })

  it('refuses a header without the I flag', () => {
    expect(() => vxlan.decode(new Uint8Array(8))).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED' }))
  })

  it('refuses every shorter packet as truncated', () => {
    for (let length = 0; length < 8; length++) {
      const packet = new Uint8Array(length).fill(8)
      expect(() => vxlan.decode(packet)).toThrow(expect.objectContaining({ code: 'WIRE_TRUNCATED' }))
    }
  })

  it.each([-1, 0x100_0000, 1.5])('has no encoding for the VNI %d', (vni) => {
    expect(() => vxlan.encode({ vni }, new Uint8Array(8))).toThrow(RangeError)
  })
})
