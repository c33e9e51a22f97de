import { type CapturedPacket, readCapture } from '@podfabric/wire'
import { describe, expect, it } from 'vitest'
import { captureFile } from './capture-file.ts'
import { hopComment } from './comment.ts'
import { hop, options, tunnelHops } from './fixtures/tunnel-journey.ts'
import { journeys } from './journey.ts'
import { journeyToJson } from './json.ts'
import { formatHop, formatJourney } from './text.ts'

const [journey] = journeys(tunnelHops)
if (!journey) throw new Error('no journey')

describe('formatJourney', () => {
  it('shows each stage with its hops, inner and outer headers side by side', () => {
    const text = formatJourney(journey, options)
    expect(text).toContain(
      [
        '3. node-1 host',
        '     encapsulate flannel.1 (TUNNEL_PEER)',
        '     transmit eth0 (TRANSMITTED)',
        '     IP 10.244.1.2.4000 > 10.244.2.3.80: UDP, length 0  │  IP 192.168.0.1.50000 > 192.168.0.2.7777: TUNNEL',
      ].join('\n'),
    )
    expect(text.split('\n').filter((line) => /^\d+\. /.test(line))).toHaveLength(6)
    expect(text.split('\n').at(-1)).toBe('delivered (SOCKET)')
  })

  it('ends with the reason of a drop', () => {
    const drop = hop(11, { node: 'node-1', netns: '', step: 'drop', reason: 'NO_ROUTE' })
    const [dropped] = journeys([...tunnelHops.slice(0, 3), drop])
    expect(dropped && formatJourney(dropped, options)).toMatch(/\ndropped: NO_ROUTE$/)
  })
})

describe('formatHop', () => {
  it('says where, what, why and which packet in one line', () => {
    const [, , , route] = tunnelHops
    expect(route && formatHop(route, options)).toBe(
      'node-1 host  route (ROUTE: route 10.244.2.0/24, table 254)  IP 10.244.1.2.4000 > 10.244.2.3.80: UDP, length 0',
    )
  })
})

describe('journeyToJson', () => {
  it('survives JSON and keeps octets as hex', () => {
    const json = JSON.parse(JSON.stringify(journeyToJson(journey, options.protocols)))
    expect(json).toMatchObject({ packet: 7, cause: null, outcome: 'delivered' })
    expect(json.hops[4].headers.layers.map(({ protocol }: { protocol: string }) => protocol)).toContain(
      'test-tunnel',
    )
    expect(json.hops[4].bytes).toMatch(/^0200000000020200000000010800/)
  })
})

describe('captureFile', () => {
  it('writes frames on links, with the interface’s full name and a comment that says why', async () => {
    const blocks: Uint8Array[] = []
    const file = captureFile((block) => blocks.push(block), { application: 'test' })
    const written = tunnelHops.filter((hop) => file.add(hop))
    const packets: CapturedPacket[] = []
    for await (const packet of readCapture(blocks)) packets.push(packet)
    expect(packets.map(({ bytes }) => bytes)).toEqual(written.map(({ bytes }) => bytes))
    expect(written.map(({ sequence }) => sequence)).toEqual([1, 2, 5, 6, 8, 9])
    expect(packets[0]).toMatchObject({
      comments: ['#7 node-1/pod-2 transmit TRANSMITTED'],
      timestamp: 1_000_125_000n,
    })
    expect(packets[0]?.interfaceName).toBe('node-1/pod-2/eth0')
  })
})

describe('hopComment', () => {
  it('names the packet that was the cause', () => {
    const answer = { ...hop(1, { node: 'node-1', netns: '', step: 'send', reason: 'SENT' }), cause: 3 }
    expect(hopComment(answer)).toBe('#7 caused by #3 node-1 send SENT')
  })
})
