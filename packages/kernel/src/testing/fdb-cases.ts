import assert from 'node:assert/strict'
import { ip, mac } from '@podfabric/netaddr'
import { type CaseBody, ping, refuses } from './bed.ts'
import { bridged, nth } from './topology.ts'

export const fdbCases: readonly CaseBody[] = [
  {
    name: 'a bridge learns behind which port a sender is',
    async run(bed) {
      const { node, pods } = await bridged(bed, 2)
      const outcome = await ping(nth(pods, 0), '10.1.0.2')
      assert.equal(outcome.kind, 'reply')
      for (const i of [1, 2]) {
        const sender = (await nth(pods, i - 1).at.links.get('eth0')).mac
        const row = (await node.at.fdb.list()).find((one) => one.mac === sender)
        assert.deepEqual(row, { link: `port${i}`, mac: sender, state: 'dynamic', owner: 'master' })
      }
    },
  },
  {
    name: "a port's own address is a permanent entry of the bridge",
    async run(bed) {
      const { node } = await bridged(bed, 1)
      const port = await node.at.links.get('port1')
      const row = (await node.at.fdb.list()).find((one) => one.mac === port.mac && one.link === 'port1')
      assert.deepEqual(row, { link: 'port1', mac: port.mac, state: 'permanent', owner: 'master' })
    },
  },
  {
    name: 'a static entry of a bridge is added once, replaced onto another port, and deleted once',
    async run(bed) {
      const { node } = await bridged(bed, 2)
      const address = mac('02:00:00:00:00:77')
      const row = { link: 'port1', mac: address, state: 'static', owner: 'master' } as const
      await node.at.fdb.add(row)
      await refuses('EEXIST', node.at.fdb.add(row))
      const find = async () => (await node.at.fdb.list()).filter((one) => one.mac === address)
      assert.deepEqual(await find(), [row])
      await node.at.fdb.replace({ ...row, link: 'port2' })
      assert.deepEqual(await find(), [{ ...row, link: 'port2' }])
      await node.at.fdb.delete({ link: 'port2', mac: address, owner: 'master' })
      await refuses('ENOENT', node.at.fdb.delete({ link: 'port2', mac: address, owner: 'master' }))
      await refuses('ENODEV', node.at.fdb.add({ ...row, link: 'ghost' }))
    },
  },
  {
    name: 'an entry of a vxlan link names a remote endpoint, is added once and deleted once',
    async run(bed) {
      const node = await bed.node()
      await node.at.links.add({
        kind: 'vxlan',
        name: 'vx0',
        vni: 7,
        local: ip('192.168.50.1'),
        learning: false,
      })
      const row = { link: 'vx0', mac: mac('02:00:00:00:00:77'), destination: ip('192.168.50.2') }
      await node.at.fdb.add(row)
      await refuses('EEXIST', node.at.fdb.add(row))
      const find = async () => (await node.at.fdb.list()).filter((one) => one.link === 'vx0')
      assert.deepEqual(await find(), [{ ...row, state: 'permanent', owner: 'self' }])
      await node.at.fdb.replace({ ...row, destination: ip('192.168.50.3') })
      assert.deepEqual(
        (await find()).map((one) => one.destination),
        ['192.168.50.3'],
      )
      await node.at.fdb.delete({ link: 'vx0', mac: row.mac })
      await refuses('ENOENT', node.at.fdb.delete({ link: 'vx0', mac: row.mac }))
    },
  },
  {
    name: 'the all-zero MAC of a vxlan link takes several destinations by append',
    async run(bed) {
      const node = await bed.node()
      await node.at.links.add({ kind: 'vxlan', name: 'vx0', vni: 7, local: ip('192.168.50.1') })
      const row = { link: 'vx0', mac: mac('00:00:00:00:00:00'), destination: ip('192.168.50.2') }
      await node.at.fdb.append(row)
      await node.at.fdb.append({ ...row, destination: ip('192.168.50.3') })
      const destinations = async () =>
        (await node.at.fdb.list()).map((one) => one.destination).filter(Boolean)
      assert.deepEqual((await destinations()).toSorted(), ['192.168.50.2', '192.168.50.3'])
      await node.at.fdb.delete({ link: 'vx0', mac: row.mac, destination: ip('192.168.50.2') })
      assert.deepEqual(await destinations(), ['192.168.50.3'])
    },
  },
]
