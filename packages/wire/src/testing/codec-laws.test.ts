import { describe, expect, it } from 'vitest'
import type { Codec } from '../codec.ts'
import { WireError } from '../wire-error.ts'
import { codecLaws, type Law } from './codec-laws.ts'

interface Label {
  readonly value: number
}

/** One octet of length, one of value. */
const good: Codec<Label> = {
  name: 'label',
  encodingLength: () => 2,
  encode({ value }, packet) {
    packet[0] = packet.length
    packet[1] = value
  },
  decode(packet) {
    const length = packet[0]
    if (length === undefined || packet.length < 2) throw new WireError('WIRE_TRUNCATED', 'label', 0, 'short')
    if (length < 2) throw new WireError('WIRE_MALFORMED', 'label', 0, 'length')
    if (length > packet.length) throw new WireError('WIRE_TRUNCATED', 'label', 0, 'short')
    return { header: { value: packet[1] ?? 0 }, payload: packet.subarray(2, length) }
  },
}

const captured = Uint8Array.of(4, 7, 1, 2)

function laws(codec: Codec<Label>): Law[] {
  return codecLaws(codec, {
    examples: [{ header: { value: 200 }, payload: Uint8Array.of(1, 2), checksums: undefined }],
    captured: [{ bytes: captured, checksums: undefined }],
    unchecked: undefined,
    cuts: 'anywhere',
  })
}

async function failures(codec: Codec<Label>): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of laws(codec)) await run().catch(() => failed.push(name.slice('label '.length)))
  return failed
}

describe('codecLaws', () => {
  it('pass a codec that keeps them', async () => {
    expect(await failures(good)).toEqual([])
  })

  const broken: [string, Codec<Label>, string][] = [
    [
      'loses a bit of the header',
      { ...good, encode: ({ value }, packet) => good.encode({ value: value & 127 }, packet) },
      'decodes what it encoded to the same header and payload',
    ],
    [
      'changes captured octets',
      {
        ...good,
        encode({ value }, packet) {
          good.encode({ value: value === 7 ? 8 : value }, packet)
        },
      },
      'encodes what it decoded to the same octets',
    ],
    [
      'leaves an octet of the header unwritten',
      {
        ...good,
        encode({ value }, packet) {
          packet[0] = packet.length
          packet[1] = value | (packet[1] ?? 0)
        },
      },
      'writes every octet of its header and none beyond it',
    ],
    [
      'writes into the payload',
      {
        ...good,
        encode(header, packet) {
          good.encode(header, packet)
          packet[2] = 9
        },
      },
      'writes every octet of its header and none beyond it',
    ],
    [
      'copies the payload',
      {
        ...good,
        decode(packet) {
          const { header, payload } = good.decode(packet)
          return { header, payload: payload.slice() }
        },
      },
      'gives the payload as a view, never a copy',
    ],
    [
      'believes a cut packet',
      {
        ...good,
        decode(packet) {
          return packet.length === 3
            ? { header: { value: 0 }, payload: packet.subarray(2) }
            : good.decode(packet)
        },
      },
      'refuses a packet that is cut short as WIRE_TRUNCATED',
    ],
    [
      'reads before its packet',
      {
        ...good,
        decode(packet) {
          const { payload } = good.decode(packet)
          return { header: { value: new Uint8Array(packet.buffer)[1] ?? 0 }, payload }
        },
      },
      'reads nothing outside the octets it is given',
    ],
    [
      'throws something else for strange octets',
      {
        ...good,
        decode(packet) {
          if (packet[1] === 0xff) throw new TypeError('surprise')
          return good.decode(packet)
        },
      },
      'throws nothing but WireError, whatever the octets',
    ],
  ]

  it.each(broken)('catch a codec that %s', async (_, codec, law) => {
    expect(await failures(codec)).toContain(law)
  })
})
