import assert from 'node:assert/strict'
import { ip } from '@podfabric/netaddr'
import type { CapturedFrame } from '../capture.ts'
import type { Namespace } from '../namespace.ts'
import { type Bed, bytes, type CaseBody, refuses, textOf } from './bed.ts'
import { joined } from './topology.ts'

/** Captures on `link` while `act` happens, until a frame satisfies `until`. */
async function framesUntil(
  bed: Bed,
  at: Namespace,
  link: string,
  act: () => Promise<unknown>,
  until: (frame: CapturedFrame) => boolean,
): Promise<readonly CapturedFrame[]> {
  const capture = bed.keep(await at.capture(link))
  return bed.within('the frame', async (signal) => {
    signal.addEventListener('abort', () => void capture.close())
    await act()
    const seen: CapturedFrame[] = []
    for await (const frame of capture) {
      seen.push(frame)
      if (until(frame)) return seen
    }
    throw signal.reason
  })
}

const etherType = (frame: CapturedFrame) => ((frame.bytes[12] ?? 0) << 8) | (frame.bytes[13] ?? 0)

export const captureCases: readonly CaseBody[] = [
  {
    name: 'a capture sees a datagram leave here and arrive there, from the Ethernet header on',
    async run(bed) {
      const { a, b } = await joined(bed)
      const client = bed.keep(await a.at.sockets.udp())
      const isOurs = (frame: CapturedFrame) => etherType(frame) === 0x0800 && frame.bytes[23] === 17
      for (const [place, direction] of [
        [a, 'out'],
        [b, 'in'],
      ] as const) {
        const send = () => client.send(bytes('look at me'), { address: ip('10.1.0.2'), port: 9 })
        const frame = (await framesUntil(bed, place.at, 'eth0', send, isOurs)).at(-1)
        assert(frame !== undefined)
        assert.equal(frame.direction, direction)
        assert.equal(textOf(frame.bytes.subarray(42)), 'look at me')
        assert(frame.at > 0)
      }
    },
  },
  {
    name: 'checksums in captured datagrams are right',
    async run(bed) {
      const { a, b } = await joined(bed)
      const client = bed.keep(await a.at.sockets.udp())
      const isOurs = (frame: CapturedFrame) => etherType(frame) === 0x0800 && frame.bytes[23] === 17
      const send = () => client.send(bytes('sum'), { address: ip('10.1.0.2'), port: 9 })
      for (const place of [a, b]) {
        const frame = (await framesUntil(bed, place.at, 'eth0', send, isOurs)).at(-1)
        assert(frame !== undefined)
        assert.equal(sum16(frame.bytes.subarray(14, 34)), 0xffff)
        const udp = frame.bytes.subarray(34)
        const pseudo = Uint8Array.of(...frame.bytes.subarray(26, 34), 0, 17, 0, udp.length)
        assert.equal(sum16(Uint8Array.of(...pseudo, ...udp, 0)), 0xffff)
      }
    },
  },
  {
    name: 'a datagram to a port that nobody has is answered with port unreachable, over IPv4 and IPv6',
    async run(bed) {
      const { a } = await joined(bed)
      for (const { to, any, is } of [
        {
          to: ip('10.1.0.2'),
          any: ip('0.0.0.0'),
          is: ({ bytes: b }: CapturedFrame) => b[23] === 1 && b[34] === 3 && b[35] === 3,
        },
        {
          to: ip('fd01::2'),
          any: ip('::'),
          is: ({ bytes: b }: CapturedFrame) => b[20] === 58 && b[54] === 1 && b[55] === 4,
        },
      ]) {
        const client = bed.keep(await a.at.sockets.udp({ address: any }))
        await framesUntil(bed, a.at, 'eth0', () => client.send(bytes('x'), { address: to, port: 9 }), is)
      }
    },
  },
  {
    name: 'a capture on a link that is not there is ENODEV',
    async run(bed) {
      const { a } = await joined(bed)
      await refuses('ENODEV', a.at.capture('ghost'))
    },
  },
  {
    name: 'a capture ends when it is closed, and when its link is deleted',
    async run(bed) {
      const { a } = await joined(bed)
      for (const end of ['close', 'delete'] as const) {
        const capture = bed.keep(await a.at.capture('eth0'))
        await bed.within('the end of the capture', async (signal) => {
          signal.addEventListener('abort', () => void capture.close())
          await (end === 'close' ? capture.close() : a.at.links.delete('eth0'))
          for await (const frame of capture) assert(frame.bytes.length > 0)
          if (signal.aborted) throw signal.reason
        })
      }
    },
  },
]

/** The one's complement sum of 16-bit words, folded; an odd octet at the end is ignored. */
function sum16(data: Uint8Array): number {
  let sum = 0
  for (let i = 0; i + 1 < data.length; i += 2) sum += ((data[i] ?? 0) << 8) | (data[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}
