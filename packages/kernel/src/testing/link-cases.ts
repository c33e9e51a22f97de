import assert from 'node:assert/strict'
import { ip, mac } from '@podfabric/netaddr'
import { type CaseBody, dress, must, refuses } from './bed.ts'

export const linkCases: readonly CaseBody[] = [
  {
    name: 'a bridge is as it was asked for, and down',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({
        kind: 'bridge',
        name: 'br0',
        mac: mac('02:00:00:00:00:01'),
        mtu: 1400,
        alias: 'podfabric:a test',
        ageing: 10,
      })
      const { index, ...rest } = await at.links.get('br0')
      assert(index > 1)
      assert.deepEqual(rest, {
        kind: 'bridge',
        name: 'br0',
        mac: '02:00:00:00:00:01',
        mtu: 1400,
        up: false,
        running: false,
        alias: 'podfabric:a test',
        ageing: 10,
      })
      await at.links.add({ kind: 'bridge', name: 'br1' })
      const plain = await at.links.get('br1')
      assert(plain.kind === 'bridge')
      assert.deepEqual([plain.ageing, plain.mtu, plain.alias], [300, 1500, undefined])
    },
  },
  {
    name: 'links are listed by index, and a name is taken only once',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'bridge', name: 'second' })
      await at.links.add({ kind: 'bridge', name: 'first' })
      await refuses('EEXIST', at.links.add({ kind: 'bridge', name: 'second' }))
      await refuses('EEXIST', at.links.add({ kind: 'veth', name: 'v0', peer: { name: 'first' } }))
      const links = await at.links.list()
      assert.deepEqual(
        links.filter((link) => link.kind === 'bridge').map((link) => link.name),
        ['second', 'first'],
      )
      assert.deepEqual(
        links.map((link) => link.index),
        links.map((link) => link.index).toSorted((a, b) => a - b),
      )
      await refuses('ENODEV', at.links.get('v0'))
    },
  },
  {
    name: 'a link that is not there is ENODEV for get, set and delete',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await refuses('ENODEV', at.links.get('ghost'))
      await refuses('ENODEV', at.links.set('ghost', { up: true }))
      await refuses('ENODEV', at.links.delete('ghost'))
    },
  },
  {
    name: 'a name with a slash or a blank is EINVAL, one of sixteen octets ERANGE',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await refuses('EINVAL', at.links.add({ kind: 'bridge', name: 'a/b' }))
      await refuses('EINVAL', at.links.add({ kind: 'bridge', name: 'a b' }))
      await refuses('ERANGE', at.links.add({ kind: 'bridge', name: 'sixteen-octets-x' }))
    },
  },
  {
    name: 'an MTU below 68 is EINVAL on a veth',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      await refuses('EINVAL', at.links.set('v0', { mtu: 67 }))
      assert.equal((await at.links.get('v0')).mtu, 1500)
    },
  },
  {
    name: 'the loopback link cannot be deleted',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await refuses('EOPNOTSUPP', at.links.delete('lo'))
    },
  },
  {
    name: 'the ends of a veth pair know each other, and run when both are up',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'veth', name: 'v0', up: true, peer: { name: 'v1' } })
      const v0 = await at.links.get('v0')
      const v1 = await at.links.get('v1')
      assert(v0.kind === 'veth' && v1.kind === 'veth')
      assert.equal(v0.peerIndex, v1.index)
      assert.equal(v1.peerIndex, v0.index)
      assert.deepEqual([v0.up, v0.running, v1.up], [true, false, false])
      await at.links.set('v1', { up: true })
      assert.equal((await at.links.get('v0')).running, true)
      assert.equal((await at.links.get('v1')).running, true)
      await at.links.set('v1', { up: false })
      assert.equal((await at.links.get('v0')).running, false)
    },
  },
  {
    name: 'a veth peer is created straight in another namespace, down, as asked for',
    async run(bed) {
      const node = await bed.node()
      const pod = await bed.namespace(node, 'pod')
      await node.at.links.add({
        kind: 'veth',
        name: 'near',
        mtu: 1450,
        mac: mac('02:00:00:00:00:01'),
        up: true,
        peer: { name: 'eth0', netns: pod.netns, mtu: 1450, mac: mac('02:00:00:00:00:02') },
      })
      const near = await node.at.links.get('near')
      const far = await pod.at.links.get('eth0')
      assert(near.kind === 'veth' && far.kind === 'veth')
      assert.equal(near.mac, '02:00:00:00:00:01')
      assert.equal(near.mtu, 1450)
      assert.equal(near.up, true)
      assert.equal(near.peerIndex, far.index)
      assert.equal(far.peerIndex, near.index)
      assert.equal(far.mac, '02:00:00:00:00:02')
      assert.equal(far.mtu, 1450)
      assert.equal(far.up, false)
      await refuses(
        'EEXIST',
        node.at.links.add({ kind: 'veth', name: 'x', peer: { name: 'eth0', netns: pod.netns } }),
      )
      await refuses('ENODEV', node.at.links.get('x'))
    },
  },
  {
    name: 'deleting one end of a veth pair deletes the other, in whichever namespace',
    async run(bed) {
      const node = await bed.node()
      const pod = await bed.namespace(node, 'pod')
      const peer = { name: 'eth0', netns: pod.netns }
      await node.at.links.add({ kind: 'veth', name: 'near', peer })
      await node.at.links.delete('near')
      await refuses('ENODEV', pod.at.links.get('eth0'))
      await node.at.links.add({ kind: 'veth', name: 'near', peer })
      await pod.at.links.delete('eth0')
      await refuses('ENODEV', node.at.links.get('near'))
    },
  },
  {
    name: 'a set changes only what it names',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'veth', name: 'v0', mtu: 1400, alias: 'first', peer: { name: 'v1' } })
      const before = await at.links.get('v0')
      await at.links.set('v0', { mac: mac('02:00:00:00:00:09'), alias: 'second' })
      assert.deepEqual(await at.links.get('v0'), { ...before, mac: '02:00:00:00:00:09', alias: 'second' })
    },
  },
  {
    name: 'a link is renamed, keeps its index, and cannot take a name that is taken',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      const before = await at.links.get('v0')
      await refuses('EEXIST', at.links.set('v0', { name: 'v1' }))
      await at.links.set('v0', { name: 'eth7' })
      assert.deepEqual(await at.links.get('eth7'), { ...before, name: 'eth7' })
      await refuses('ENODEV', at.links.get('v0'))
    },
  },
  {
    name: 'a link moved to another namespace arrives there down and without addresses',
    async run(bed) {
      const node = await bed.node()
      const pod = await bed.namespace(node, 'pod')
      await must(
        node.at,
        { op: 'link.add', link: { kind: 'veth', name: 'v0', peer: { name: 'v1' } } },
        ...dress('v1', '10.1.0.1/24', 'fd01::1/64'),
      )
      await node.at.links.set('v1', { netns: pod.netns })
      await refuses('ENODEV', node.at.links.get('v1'))
      assert.equal((await pod.at.links.get('v1')).up, false)
      assert.deepEqual(await pod.at.addresses.list(), [])
      assert.deepEqual(
        (await node.at.addresses.list()).filter((row) => row.link === 'v1'),
        [],
      )
    },
  },
  {
    name: 'a bridge port says whose it is and how, and leaves with null',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'bridge', name: 'br0' })
      await at.links.add({ kind: 'veth', name: 'v0', bridge: 'br0', peer: { name: 'v1' } })
      const plain = { bridge: 'br0', hairpin: false, learning: true, flood: true, isolated: false }
      assert.deepEqual((await at.links.get('v0')).port, plain)
      assert.equal((await at.links.get('v1')).port, undefined)
      await at.links.set('v0', { port: { hairpin: true, isolated: true } })
      assert.deepEqual((await at.links.get('v0')).port, { ...plain, hairpin: true, isolated: true })
      await at.links.set('v0', { port: { learning: false, flood: false, hairpin: false } })
      assert.deepEqual((await at.links.get('v0')).port, {
        ...plain,
        isolated: true,
        learning: false,
        flood: false,
      })
      await at.links.set('v0', { bridge: null })
      assert.equal((await at.links.get('v0')).port, undefined)
      await at.links.set('v1', { bridge: 'br0', port: { hairpin: true } })
      assert.deepEqual((await at.links.get('v1')).port, { ...plain, hairpin: true })
    },
  },
  {
    name: 'a bridge that is not there is ENODEV, a link that is no bridge EINVAL',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      await refuses('ENODEV', at.links.set('v0', { bridge: 'ghost' }))
      await refuses('EOPNOTSUPP', at.links.set('v0', { bridge: 'v1' }))
    },
  },
  {
    name: 'deleting a bridge frees its ports',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'bridge', name: 'br0' })
      await at.links.add({ kind: 'veth', name: 'v0', bridge: 'br0', peer: { name: 'v1' } })
      await at.links.delete('br0')
      assert.equal((await at.links.get('v0')).port, undefined)
    },
  },
  {
    name: 'a bridge of its own choice of address takes the lowest of its ports',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'bridge', name: 'br0' })
      await at.links.add({
        kind: 'veth',
        name: 'v0',
        mac: mac('02:00:00:00:00:05'),
        bridge: 'br0',
        peer: { name: 'v1' },
      })
      assert.equal((await at.links.get('br0')).mac, '02:00:00:00:00:05')
    },
  },
  {
    name: 'a vxlan link is as it was asked for',
    async run(bed) {
      const node = await bed.node()
      await node.at.links.add({
        kind: 'vxlan',
        name: 'vx0',
        vni: 7,
        udpPort: 4789,
        local: ip('192.168.50.1'),
        underlay: 'eth0',
        learning: false,
      })
      const link = await node.at.links.get('vx0')
      assert(link.kind === 'vxlan')
      assert.deepEqual(
        [link.vni, link.udpPort, link.local, link.underlay, link.learning, link.mtu, link.up],
        [7, 4789, '192.168.50.1', 'eth0', false, 1450, false],
      )
      await node.at.links.add({ kind: 'vxlan', name: 'vx6', vni: 8, local: ip('fd50::1'), underlay: 'eth0' })
      const six = await node.at.links.get('vx6')
      assert(six.kind === 'vxlan')
      assert.deepEqual([six.udpPort, six.local, six.learning, six.mtu], [8472, 'fd50::1', true, 1430])
    },
  },
  {
    name: 'a vxlan link needs its underlay, and a network identifier of its own',
    async run(bed) {
      const node = await bed.node()
      const link = {
        kind: 'vxlan',
        name: 'vx0',
        vni: 7,
        local: ip('192.168.50.1'),
        underlay: 'eth0',
      } as const
      await refuses('ENODEV', node.at.links.add({ ...link, underlay: 'ghost' }))
      await node.at.links.add(link)
      await refuses('EEXIST', node.at.links.add({ ...link, name: 'vx1' }))
      await node.at.links.add({ ...link, name: 'vx1', vni: 8 })
    },
  },
]
