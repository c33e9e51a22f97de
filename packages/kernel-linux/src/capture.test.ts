import { describe, expect, it } from 'vitest'
import { fillChecksum } from './capture.ts'
import { onesComplementSum } from './echo.ts'

describe('a checksum left to a network card', () => {
  it('is filled in from where the kernel said', () => {
    const frame = Uint8Array.from({ length: 60 }, (_, i) => i)
    const pseudo = 0x1234
    new DataView(frame.buffer).setUint16(34 + 6, pseudo)
    fillChecksum(frame, 34, 6)
    // With the pseudo-header's share the whole sums to ones, as a receiver checks it.
    expect(onesComplementSum(frame, 34, pseudo)).toBe(0xffff)
  })

  it('outside of the frame changes nothing', () => {
    const frame = new Uint8Array(20).fill(7)
    fillChecksum(frame, 18, 6)
    expect(frame).toEqual(new Uint8Array(20).fill(7))
  })
})
