import assert from 'node:assert/strict'
import { ip } from '@podfabric/netaddr'
import { bytes, type CaseBody, must, ping, refuses, route } from './bed.ts'
import { joined } from './topology.ts'

/** Addresses that are not one host's, and what sockets make of them. */
export const destinationCases: readonly CaseBody[] = [
  ...[['0.0.0.0', '127.0.0.1'] as const, ['::', '::1'] as const].map(
    ([unspecified, loopback]): CaseBody => ({
      name: `${unspecified} as destination is the sender itself`,
      async run(bed) {
        const { a } = await joined(bed)
        const outcome = await ping(a, unspecified)
        assert.deepEqual([outcome.kind, 'from' in outcome && outcome.from], ['reply', loopback])
      },
    }),
  ),
  {
    name: 'a broadcast address is EACCES for datagrams and echoes, with a default route too',
    async run(bed) {
      const { a } = await joined(bed)
      await must(a.at, route('0.0.0.0/0', '10.1.0.2'))
      const socket = bed.keep(await a.at.sockets.udp())
      for (const address of ['10.1.0.255', '255.255.255.255']) {
        await refuses('EACCES', socket.send(bytes('x'), { address: ip(address), port: 9 }))
        await refuses('EACCES', ping(a, address))
      }
    },
  },
  {
    name: 'a connection to a broadcast or multicast address is ENETUNREACH, with a default route too',
    async run(bed) {
      const { a } = await joined(bed)
      await must(a.at, route('0.0.0.0/0', '10.1.0.2'), route('::/0', 'fd01::2'))
      for (const address of ['10.1.0.255', '255.255.255.255', '224.0.0.9', 'ff02::1']) {
        await refuses('ENETUNREACH', a.at.sockets.connect({ address: ip(address), port: 9 }))
      }
    },
  },
  {
    name: 'an address of loopback does not leave as a source: EINVAL',
    async run(bed) {
      const { a } = await joined(bed)
      const source = ip('127.0.0.1')
      await refuses('EINVAL', ping(a, '10.1.0.2', { source }))
      assert.equal((await ping(a, '10.1.0.1', { source })).kind, 'reply')
    },
  },
  {
    name: 'a time to live of 0 is EINVAL for IPv4',
    async run(bed) {
      const { a } = await joined(bed)
      await refuses('EINVAL', ping(a, '10.1.0.2', { ttl: 0 }))
      const socket = bed.keep(await a.at.sockets.udp())
      const to = { address: ip('10.1.0.2'), port: 9 }
      await refuses('EINVAL', socket.send(bytes('x'), to, { ttl: 0 }))
    },
  },
]
