import { ip, mac } from '@podfabric/netaddr'
import { pcapngWriter } from '@podfabric/wire'
import { describe, expect, it } from 'vitest'
import { Bed, must, overlaid, read, text } from '../test/bed.ts'

/** A pcapng file of all that some calls put on the underlay of two nodes, lost frames, tunnels and TCP included. */
async function record(seed: number): Promise<Uint8Array> {
  const bed = new Bed({ seed })
  const one = await overlaid(bed, 1, 2)
  const two = await overlaid(bed, 2, 1)
  bed.underlay.set({ latency: 2, loss: 0.1 })
  const captures = [await one.host.capture('eth0'), await two.host.capture('eth0')]
  const listener = await two.pod.at.sockets.listen({ port: 80 })
  const serve = (async () => {
    const connection = await listener.accept()
    for await (const chunk of connection) await connection.write(chunk)
    await connection.close()
  })()
  const client = await one.pod.at.sockets.connect({ address: ip('10.244.2.2'), port: 80 })
  const sent = text('0123456789'.repeat(2000))
  const writing = client.write(sent).then(() => client.finish())
  let answer = ''
  for await (const chunk of client) answer += read(chunk)
  expect(answer).toBe(read(sent))
  await Promise.all([writing, serve])
  await client.close()
  await one.pod.at.sockets.echo({ destination: ip('fd50::2'), timeout: 50 }).catch(() => {})
  await must(one.host, { op: 'link.add', link: { kind: 'veth', name: 'late', peer: { name: 'later' } } })
  expect((await one.host.links.get('late')).mac).not.toBe(mac('00:00:00:00:00:00'))
  const blocks: Uint8Array[] = []
  const writer = pcapngWriter((block) => blocks.push(block))
  for (const [i, capture] of captures.entries()) {
    await capture.close()
    const interfaceIndex = writer.addInterface({ name: `node-${i + 1} eth0` })
    for await (const { at, bytes } of capture) {
      writer.addPacket({ interfaceIndex, timestamp: BigInt(Math.round(at * 1e6)), bytes })
    }
  }
  const file = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0))
  let at = 0
  for (const block of blocks) {
    file.set(block, at)
    at += block.length
  }
  return file
}

describe('a simulation', () => {
  it('gives the same packets for the same seed and the same calls, octet for octet', async () => {
    const [first, second] = [await record(11), await record(11)]
    expect(first.length).toBeGreaterThan(20_000)
    expect(second).toEqual(first)
  })

  it('gives other packets for another seed', async () => {
    expect(await record(12)).not.toEqual(await record(11))
  })
})
