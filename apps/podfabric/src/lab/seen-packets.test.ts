import type { Hop } from '@podfabric/trace'
import { describe, expect, it } from 'vitest'
import { type SeenFrame, seenPackets } from './seen-packets.ts'

/** An Ethernet frame with an IPv4 packet from 10.0.0.1 to 10.0.0.2, of an unassigned protocol. */
function frame(ttl: number, id = 1): Uint8Array {
  const ip = [0x45, 0, 0, 20, 0, id, 0, 0, ttl, 253, 0, ttl, 10, 0, 0, 1, 10, 0, 0, 2]
  return Uint8Array.from([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, ...ip])
}

function follow(frames: readonly Omit<SeenFrame, 'at' | 'link'>[]): readonly Hop[] {
  const hops: Hop[] = []
  const packets = seenPackets(
    (node, _, address) => node === 'b' && address === '10.0.0.2',
    (hop) => hops.push(hop),
  )
  for (const [at, one] of frames.entries()) packets.add({ ...one, at, link: 'eth0' })
  packets.end()
  return hops
}

describe('frames seen on many links', () => {
  it('are one packet while only routers change them, and delivered where the address is', () => {
    const hops = follow([
      { node: 'a', netns: '', direction: 'out', bytes: frame(64) },
      { node: 'b', netns: '', direction: 'in', bytes: frame(63) },
    ])
    expect(new Set(hops.map(({ packet }) => packet)).size).toBe(1)
    expect(hops.map(({ step }) => step)).toEqual(['send', 'transmit', 'receive', 'deliver'])
  })

  it('end in a drop that says where they were seen last', () => {
    const hops = follow([{ node: 'a', netns: 'pod', direction: 'out', bytes: frame(64) }])
    expect(hops.at(-1)).toMatchObject({
      step: 'drop',
      reason: 'NOT_SEEN_AGAIN',
      because: { after: 'a/pod/eth0' },
    })
  })

  it('are another packet when they come by the same place again', () => {
    const again = { node: 'a', netns: '', direction: 'out', bytes: frame(64) } as const
    expect(follow([again, again]).filter(({ step }) => step === 'send')).toHaveLength(2)
  })
})
