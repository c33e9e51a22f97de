import assert from 'node:assert/strict'
import { ip } from '@podfabric/netaddr'
import { bytes, type CaseBody, ping, textOf } from './bed.ts'
import { bridged, nth } from './topology.ts'

export const bridgeCases: readonly CaseBody[] = [
  ...(['10.1.0.2', 'fd01::2'] as const).flatMap((text): CaseBody[] => [
    {
      name: `pods on a bridge reach each other at ${text}, without a hop between`,
      async run(bed) {
        const { pods } = await bridged(bed, 3)
        const outcome = await ping(nth(pods, 0), text)
        assert(outcome.kind === 'reply', outcome.kind)
        assert.equal(outcome.ttl, 64)
      },
    },
    {
      name: `a datagram crosses a bridge to ${text}`,
      async run(bed) {
        const { pods } = await bridged(bed, 2)
        const server = bed.keep(await nth(pods, 1).at.sockets.udp({ address: ip(text), port: 9 }))
        const any = ip(text.includes(':') ? '::' : '0.0.0.0')
        const client = bed.keep(await nth(pods, 0).at.sockets.udp({ address: any }))
        await client.send(bytes('across'), server.local)
        const got = await bed.within('the datagram', (signal) => server.receive({ signal }))
        assert.equal(textOf(got.data), 'across')
      },
    },
  ]),
  {
    name: 'a bridge with an address reaches its pods, and they reach it',
    async run(bed) {
      const { node, pods } = await bridged(bed, 1)
      assert.equal((await ping(node, '10.1.0.1')).kind, 'reply')
      assert.equal((await ping(nth(pods, 0), 'fd01::fe')).kind, 'reply')
    },
  },
  {
    name: 'isolated ports reach the bridge but not each other',
    async run(bed) {
      const { node, pods } = await bridged(bed, 2)
      for (const name of ['port1', 'port2']) await node.at.links.set(name, { port: { isolated: true } })
      const first = nth(pods, 0)
      assert.equal((await ping(first, '10.1.0.254')).kind, 'reply')
      assert.equal((await ping(first, '10.1.0.2', { timeout: 300 })).kind, 'timeout')
    },
  },
  {
    name: 'a bridge that is down carries nothing',
    async run(bed) {
      const { node, pods } = await bridged(bed, 2)
      await node.at.links.set('br0', { up: false })
      const outcome = await ping(nth(pods, 0), '10.1.0.2', { timeout: 300 })
      assert.equal(outcome.kind, 'timeout')
    },
  },
  {
    name: 'a frame to a port that neither learns nor floods does not arrive',
    async run(bed) {
      const { node, pods } = await bridged(bed, 2)
      const destination = ip('10.1.0.2')
      const target = (await nth(pods, 1).at.links.get('eth0')).mac
      // The pod speaks first, as its neighbor discovery may at any time: what was learned then is forgotten.
      assert.equal((await ping(nth(pods, 0), destination)).kind, 'reply')
      await node.at.links.set('port2', { port: { learning: false, flood: false } })
      await node.at.fdb.delete({ link: 'port2', mac: target, owner: 'master' })
      await nth(pods, 0).at.neighbors.replace({ link: 'eth0', address: destination, mac: target })
      assert.equal((await nth(pods, 0).at.sockets.echo({ destination, timeout: 300 })).kind, 'timeout')
      await node.at.fdb.add({ link: 'port2', mac: target, state: 'static', owner: 'master' })
      assert.equal((await ping(nth(pods, 0), destination)).kind, 'reply')
    },
  },
]
