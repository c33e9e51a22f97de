import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frameMessages, frameReader } from './tcp-frames.ts'

test('messages come out as they went in, wherever the stream is cut', () => {
  const message = fc.uint8Array({ maxLength: 30 })
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 6 }),
      fc.array(fc.nat(40), { maxLength: 12 }),
      (messages, cuts) => {
        const stream = frameMessages(messages)
        const reader = frameReader()
        const read: Uint8Array[] = []
        let at = 0
        for (const length of [...cuts, stream.length]) {
          read.push(...reader.push(stream.subarray(at, at + length)))
          at += length
        }
        expect(read).toEqual(messages)
        expect(reader.pending).toBe(0)
      },
    ),
    { numRuns: 1000 },
  )
})

test('octets of a message that is not complete are counted', () => {
  const reader = frameReader()
  expect(reader.push(Uint8Array.of(0))).toEqual([])
  expect(reader.push(Uint8Array.of(2, 7))).toEqual([])
  expect(reader.pending).toBe(3)
  expect(reader.push(Uint8Array.of(8))).toEqual([Uint8Array.of(7, 8)])
})
