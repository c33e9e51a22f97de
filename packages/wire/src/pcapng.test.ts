import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { octets, u32 } from '../test/arbitrary.ts'
import type { CapturedPacket } from './captured-packet.ts'
import { fromHex } from './dissection-json.ts'
import { readPcap } from './pcap.ts'
import { readPcapng } from './pcapng-reader.ts'
import { pcapngWriter } from './pcapng-writer.ts'
import { readCapture } from './read-capture.ts'

async function all(packets: AsyncIterable<CapturedPacket>): Promise<CapturedPacket[]> {
  const list: CapturedPacket[] = []
  for await (const packet of packets) list.push(packet)
  return list
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))
}

/** A chunk boundary at every octet is the hardest stream. */
function* singles(file: Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < file.length; i++) yield file.subarray(i, i + 1)
}

const packet = (fields: Partial<CapturedPacket>): Partial<CapturedPacket> => fields

describe('readPcap', () => {
  const cases: [string, string, bigint][] = [
    [
      'little-endian microseconds',
      'd4c3b2a1 0200 0400 00000000 00000000 00000400 01000000  02000000 03000000 03000000 40000000 aabbcc',
      2_000_003_000n,
    ],
    [
      'big-endian microseconds',
      'a1b2c3d4 0002 0004 00000000 00000000 00040000 00000001  00000002 00000003 00000003 00000040 aabbcc',
      2_000_003_000n,
    ],
    [
      'little-endian nanoseconds',
      '4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000  02000000 03000000 03000000 40000000 aabbcc',
      2_000_000_003n,
    ],
    [
      'big-endian nanoseconds',
      'a1b23c4d 0002 0004 00000000 00000000 00040000 00000001  00000002 00000003 00000003 00000040 aabbcc',
      2_000_000_003n,
    ],
  ]

  it.each(cases)('reads %s', async (_, hex, timestamp) => {
    const file = fromHex(hex)
    const expected = [
      packet({
        timestamp,
        linkType: 1,
        bytes: Uint8Array.of(0xaa, 0xbb, 0xcc),
        originalLength: 64,
        interfaceName: undefined,
      }),
    ]
    expect(await all(readPcap([file]))).toMatchObject(expected)
    expect(await all(readPcap(singles(file)))).toMatchObject(expected)
    expect(await all(readCapture([file]))).toMatchObject(expected)
  })

  it('says where a file is cut short, after the packets before', async () => {
    const file = fromHex(cases[0]?.[1] ?? '')
    const twice = join([file, file.subarray(24)])
    const seen: CapturedPacket[] = []
    const reading = (async () => {
      for await (const found of readPcap([twice.subarray(0, twice.length - 1)])) seen.push(found)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'WIRE_TRUNCATED', protocol: 'pcap', offset: 61 })
    expect(seen.length).toBe(1)
    for (let length = 0; length < 43; length++) {
      if (length === 24) continue
      await expect(all(readPcap([file.subarray(0, length)]))).rejects.toMatchObject({ name: 'WireError' })
    }
  })

  it('refuses a packet longer than the limit before reading it', async () => {
    const file = fromHex(cases[0]?.[1] ?? '')
    file.set([0xff, 0xff, 0xff, 0xff], 32)
    await expect(all(readPcap([file]))).rejects.toMatchObject({ code: 'WIRE_MALFORMED', offset: 32 })
    await expect(all(readPcap([file], { maxBlockLength: 2 }))).rejects.toThrow('limit of 2')
  })

  it('refuses other versions and other files', async () => {
    const file = fromHex(cases[0]?.[1] ?? '')
    file[4] = 3
    await expect(all(readPcap([file]))).rejects.toMatchObject({ code: 'WIRE_UNSUPPORTED', offset: 4 })
    await expect(all(readCapture([Uint8Array.of(0x50, 0x4b, 3, 4)]))).rejects.toMatchObject({
      protocol: 'capture',
    })
    await expect(all(readCapture([]))).rejects.toMatchObject({ protocol: 'capture' })
  })
})

describe('pcapngWriter and readPcapng', () => {
  it('agree on interfaces, times, octets and comments', async () => {
    const anyPacket = fc.record({
      interfaceIndex: fc.nat({ max: 2 }),
      timestamp: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      bytes: octets(40),
      originalLength: u32,
      comments: fc.array(
        fc.string({ unit: 'grapheme' }).filter((text) => !text.endsWith('\0')),
        { maxLength: 3 },
      ),
    })
    const names = ['eth0', 'node1/flannel.1', 'pod-ü']
    await fc.assert(
      fc.asyncProperty(fc.array(anyPacket), async (packets) => {
        const blocks: Uint8Array[] = []
        const writer = pcapngWriter((block) => blocks.push(block), {
          application: 'test',
          comment: 'a section',
        })
        for (const name of names) writer.addInterface({ name, linkType: 101 })
        for (const found of packets) writer.addPacket(found)
        const read = await all(readPcapng(blocks))
        expect(read).toEqual(
          packets.map((found) => ({ ...found, interfaceName: names[found.interfaceIndex], linkType: 101 })),
        )
      }),
      { numRuns: 50 },
    )
  })

  it('refuses a packet on an interface that was not added', () => {
    const writer = pcapngWriter(() => {})
    expect(() => writer.addPacket({ interfaceIndex: 0, timestamp: 0n, bytes: new Uint8Array(1) })).toThrow(
      RangeError,
    )
  })
})

const sectionBig = '0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c'
const sectionLittle = '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000'

describe('readPcapng', () => {
  it('reads big-endian sections, powers of two and offsets of time, and a section of the other order after it', async () => {
    const file = fromHex(
      [
        sectionBig,
        // if_name "a", if_tsresol 2^-10, if_tsoffset 5 s
        '00000001 00000034 0001 0000 00000000 0002 0001 61000000 0009 0001 8a000000 000e 0008 0000000000000005 0000 0000 00000034',
        // 1536 units of 1/1024 s
        '00000006 00000024 00000000 00000000 00000600 00000002 00000002 beef0000 00000024',
        sectionLittle,
        '01000000 14000000 7100 0000 03000000 14000000',
        // a simple packet cut to the snap length of 3
        '03000000 14000000 09000000 010203 00 14000000',
        // an obsolete packet block in microseconds
        '02000000 24000000 0000 0500 00000000 07000000 02000000 02000000 cafe0000 24000000',
      ].join(''),
    )
    const expected = [
      packet({
        interfaceName: 'a',
        linkType: 1,
        timestamp: 6_500_000_000n,
        bytes: Uint8Array.of(0xbe, 0xef),
      }),
      packet({
        interfaceName: undefined,
        linkType: 113,
        timestamp: undefined,
        bytes: Uint8Array.of(1, 2, 3),
        originalLength: 9,
      }),
      packet({ timestamp: 7_000n, bytes: Uint8Array.of(0xca, 0xfe) }),
    ]
    expect(await all(readPcapng([file]))).toMatchObject(expected)
    expect(await all(readCapture(singles(file)))).toMatchObject(expected)
  })

  it('skips name resolution, statistics and unknown blocks', async () => {
    const file = fromHex(
      [
        sectionLittle,
        '04000000 10000000 00000000 10000000',
        '05000000 18000000 00000000 00000000 00000000 18000000',
        'ad0b0000 10000000 00000000 10000000',
      ].join(''),
    )
    expect(await all(readPcapng([file]))).toEqual([])
  })

  it.each([
    ['no section header', '01000000 14000000 0100 0000 00000000 14000000', 'WIRE_MALFORMED', 0],
    [
      'no byte-order magic',
      '0a0d0d0a 1c000000 00000000 0100 0000 ffffffffffffffff 1c000000',
      'WIRE_MALFORMED',
      8,
    ],
    ['version 2', '0a0d0d0a 1c000000 4d3c2b1a 0200 0000 ffffffffffffffff 1c000000', 'WIRE_UNSUPPORTED', 12],
    [
      'a length that is no multiple of 4',
      `${sectionLittle}04000000 0d000000 00000000 00`,
      'WIRE_MALFORMED',
      32,
    ],
    ['a length below 12', `${sectionLittle}04000000 08000000 08000000`, 'WIRE_MALFORMED', 32],
    ['a length beyond the limit', `${sectionLittle}04000000 fcffffff 00000000`, 'WIRE_MALFORMED', 32],
    ['two different lengths', `${sectionLittle}04000000 10000000 00000000 14000000`, 'WIRE_MALFORMED', 40],
    ['a block cut short', `${sectionLittle}04000000 10000000 00000000 1000`, 'WIRE_TRUNCATED', 42],
    [
      'a packet on an interface not described',
      `${sectionLittle}03000000 10000000 00000000 10000000`,
      'WIRE_MALFORMED',
      36,
    ],
    [
      'a packet longer than its block',
      `${sectionLittle}01000000 14000000 0100 0000 00000000 14000000 06000000 20000000 00000000 00000000 00000000 ff000000 ff000000 20000000`,
      'WIRE_MALFORMED',
      76,
    ],
    [
      'an option longer than its block',
      `${sectionLittle}01000000 18000000 0100 0000 00000000 0200 ff00 18000000`,
      'WIRE_MALFORMED',
      44,
    ],
  ])('refuses %s, saying where', async (_, hex, code, offset) => {
    await expect(all(readPcapng([fromHex(hex)]))).rejects.toMatchObject({ code, offset, protocol: 'pcapng' })
  })

  it('throws nothing but WireError for damaged files', async () => {
    const blocks: Uint8Array[] = []
    const writer = pcapngWriter((block) => blocks.push(block), { application: 'test' })
    writer.addInterface({ name: 'eth0' })
    writer.addPacket({ interfaceIndex: 0, timestamp: 1n, bytes: Uint8Array.of(1, 2, 3), comments: ['why'] })
    const file = join(blocks)
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: file.length - 1 }),
        fc.nat({ max: 255 }),
        fc.nat({ max: file.length }),
        async (at, value, cut) => {
          const damaged = file.slice(0, cut)
          if (at < cut) damaged[at] = value
          try {
            await all(readPcapng([damaged]))
          } catch (error) {
            expect(error).toMatchObject({ name: 'WireError' })
          }
        },
      ),
      { numRuns: 500 },
    )
  })

  it('lets the source go when the reader stops early', async () => {
    let closed = false
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        const writer: Uint8Array[] = []
        const out = pcapngWriter((block) => writer.push(block))
        out.addInterface({ name: 'eth0' })
        for (let i = 0; i < 3; i++) out.addPacket({ interfaceIndex: 0, timestamp: 0n, bytes: fromHex('00') })
        yield* writer
      } finally {
        closed = true
      }
    }
    for await (const found of readCapture(source())) {
      expect(found.interfaceName).toBe('eth0')
      break
    }
    expect(closed).toBe(true)
  })
})
