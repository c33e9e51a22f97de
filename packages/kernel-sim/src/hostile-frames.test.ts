import { ifAddress, ip } from '@podfabric/netaddr'
import { encodePacket, ethernet, etherTypes, layer } from '@podfabric/wire'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { SimulatedNode } from './node.ts'
import { Packet } from './packet.ts'
import { simulate } from './simulate.ts'

const types = [etherTypes.ipv4, etherTypes.ipv6, etherTypes.arp, 0x1234]
/** Good beginnings, so that frames get past the first check. */
const beginnings: readonly (readonly number[])[] = [
  [],
  [0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17, 0, 0, 10, 5, 0, 2, 10, 5, 0, 1],
  [0x45, 0, 0, 60, 0, 1, 0x20, 0, 64, 1, 0, 0, 10, 5, 0, 2, 10, 5, 0, 1],
  [0x60, 0, 0, 0, 0, 40, 58, 255, 0xfe, 0x80],
  [0x60, 0, 0, 0, 0, 40, 44, 64, 0xfd, 5],
  [0, 1, 8, 0, 6, 4, 0, 1],
]

it('takes any octets at any link without falling over', async () => {
  const network = simulate()
  network.underlay().attach('node-1', { addresses: [ifAddress('10.5.0.1/24'), ifAddress('fd05::1/64')] })
  const kernel = network.node('node-1')
  const { host: netns } = kernel as SimulatedNode
  const host = kernel.in(kernel.netns.host)
  await host.links.add({ kind: 'vxlan', name: 'vx0', vni: 1, up: true })
  const { mac } = await host.links.get('eth0')
  const card = netns.find('eth0')
  fc.assert(
    fc.property(
      fc.constantFrom(...types),
      fc.constantFrom(...beginnings),
      fc.uint8Array({ maxLength: 150 }),
      fc.boolean(),
      (type, beginning, rest, mend) => {
        const payload = new Uint8Array([...beginning, ...rest])
        if (mend && payload.length >= 20 && payload[0] === 0x45) mendHeader(payload)
        const header = { destination: mac, source: mac, tags: [], type }
        const bytes = encodePacket([layer(ethernet, header)], payload)
        card?.receive(new Packet(bytes, 0, bytes.length, 1))
        netns.simulation.run()
      },
    ),
    { numRuns: 2000 },
  )
  for (const destination of ['10.5.0.1', 'fd05::1']) {
    expect((await host.sockets.echo({ destination: ip(destination) })).kind).toBe('reply')
  }
})

/** Total length and checksum as they should be. */
function mendHeader(bytes: Uint8Array): void {
  bytes[2] = bytes.length >> 8
  bytes[3] = bytes.length
  bytes[10] = 0
  bytes[11] = 0
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  bytes[10] = (~sum >> 8) & 0xff
  bytes[11] = ~sum & 0xff
}
