import { ifAddress, ip, mac } from '@podfabric/netaddr'
import {
  encodePacket,
  ethernet,
  etherTypes,
  ipProtocols,
  ipv4,
  ipv4Header,
  layer,
  udp,
} from '@podfabric/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dress, must } from '../test/bed.ts'
import { fragment4 } from './ipv4-fragment.ts'
import type { SimulatedNode } from './node.ts'
import { allocatePacket, Packet } from './packet.ts'
import { simulate } from './simulate.ts'

const source = ip('10.5.0.2')
const own = ip('10.5.0.1')

/** A node at 10.5.0.1 with a socket at port 9, and a way to let frames arrive at its card. */
async function receiver() {
  const network = simulate()
  const segment = network.underlay()
  segment.attach('node-1', { addresses: [ifAddress('10.5.0.1/24')] })
  const kernel = network.node('node-1')
  const host = kernel.in(kernel.netns.host)
  await must(host, ...dress('eth0'))
  const socket = await host.sockets.udp({ address: own, port: 9 })
  const { mac: own48 } = await host.links.get('eth0')
  const { host: netns } = kernel as SimulatedNode
  const card = netns.find('eth0')
  return {
    network,
    host,
    socket,
    arrive(packet: Uint8Array) {
      const header = { destination: own48, source: own48, tags: [], type: etherTypes.ipv4 }
      const bytes = encodePacket([layer(ethernet, header)], packet)
      card?.receive(new Packet(bytes, 0, bytes.length, 1))
      netns.simulation.run()
    },
  }
}

function datagram(data: Uint8Array, identification = 1): Packet {
  const header = {
    source: source as never,
    destination: own as never,
    protocol: ipProtocols.udp,
    identification,
  }
  const bytes = encodePacket(
    [layer(ipv4, ipv4Header(header)), layer(udp, { sourcePort: 7, destinationPort: 9 })],
    data,
  )
  const packet = allocatePacket(1, bytes.length)
  packet.bytes.set(bytes, packet.start)
  return packet
}

const pieces = (data: Uint8Array, mtu: number) => fragment4(datagram(data), mtu).map((piece) => piece.copy())

describe('fragments', () => {
  it('are put together in whatever order they come, and each of several datagrams for itself', async () => {
    const { socket, arrive } = await receiver()
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 3000 }),
        fc.integer({ min: 68, max: 1500 }),
        fc.infiniteStream(fc.nat()),
        async (data, mtu, order) => {
          const shuffled = pieces(data, mtu)
            .map((piece) => ({ piece, at: order.next().value ?? 0 }))
            .sort((a, b) => a.at - b.at)
          for (const { piece } of shuffled) arrive(piece)
          expect((await socket.receive()).data).toEqual(data)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('that overlap spoil their datagram', async () => {
    const { socket, arrive, host } = await receiver()
    const data = new Uint8Array(200).fill(1)
    const [a, b, c] = pieces(data, 100)
    const overlapping = pieces(new Uint8Array(200).fill(2), 60)[1]
    for (const piece of [a, overlapping, b, c]) if (piece !== undefined) arrive(piece)
    arrive(datagram(Uint8Array.of(9), 2).copy())
    expect((await socket.receive()).data).toEqual(Uint8Array.of(9))
    await host[Symbol.asyncDispose]()
  })

  it('that do not all come are forgotten, and the sender is told', async () => {
    const { socket, arrive, network, host } = await receiver()
    const [first, ...rest] = pieces(new Uint8Array(3000), 1500)
    if (first === undefined) throw new Error('no fragment')
    const neighbor = { link: 'eth0', address: source, mac: mac('02:00:00:00:00:02') }
    await must(host, { op: 'neighbor.add', neighbor })
    const capture = await host.capture('eth0')
    arrive(first)
    await network.clock.advance(31_000)
    for (const piece of rest) arrive(piece)
    arrive(datagram(Uint8Array.of(9), 2).copy())
    expect((await socket.receive()).data).toEqual(Uint8Array.of(9))
    await capture.close()
    const told: number[][] = []
    for await (const { direction, bytes } of capture) {
      if (direction === 'out' && bytes[23] === ipProtocols.icmp) told.push([bytes[34] ?? 0, bytes[35] ?? 0])
    }
    expect(told).toEqual([[11, 1]])
  })

  it('below 8 octets, or beyond the largest datagram, are malformed', async () => {
    const { socket, arrive, network } = await receiver()
    const reasons: string[] = []
    network.on('hop', ({ step, reason }) => {
      if (step === 'drop') reasons.push(reason)
    })
    const header = { source: source as never, destination: own as never, protocol: ipProtocols.udp }
    const tiny = ipv4Header({ ...header, moreFragments: true })
    arrive(encodePacket([layer(ipv4, tiny)], new Uint8Array(7)))
    const far = ipv4Header({ ...header, fragmentOffset: 65_528 })
    arrive(encodePacket([layer(ipv4, far)], new Uint8Array(16)))
    expect(reasons).toEqual(['MALFORMED', 'MALFORMED'])
    await socket.close()
  })
})
