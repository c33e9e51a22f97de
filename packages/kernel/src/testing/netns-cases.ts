import assert from 'node:assert/strict'
import { type CaseBody, must, refuses } from './bed.ts'

export const netnsCases: readonly CaseBody[] = [
  {
    name: 'a new namespace has a loopback link that is down, with index 1',
    async run(bed) {
      const pod = await bed.namespace(await bed.node(), 'pod')
      const lo = await pod.at.links.get('lo')
      assert.equal(lo.kind, 'loopback')
      assert.equal(lo.index, 1)
      assert.equal(lo.mtu, 65536)
      assert.equal(lo.up, false)
      assert.deepEqual(await pod.at.addresses.list(), [])
    },
  },
  {
    name: 'namespaces are listed by name in byte order, with the identity they were made with',
    async run(bed) {
      const node = await bed.node()
      const b = await bed.namespace(node, 'b')
      const a = await bed.namespace(node, 'a')
      const upper = await bed.namespace(node, 'Z')
      const listed = await node.kernel.netns.list()
      assert.deepEqual(
        listed.map((entry) => [entry.name, entry.id]),
        [
          ['Z', upper.netns.id],
          ['a', a.netns.id],
          ['b', b.netns.id],
        ],
      )
      assert.equal(new Set(listed.map((entry) => entry.id)).size, 3)
    },
  },
  {
    name: 'a namespace opened by its path is the one that was made there',
    async run(bed) {
      const node = await bed.node()
      const made = await bed.namespace(node, 'pod')
      const opened = bed.keep(await node.kernel.netns.open(made.netns.path))
      assert.equal(opened.id, made.netns.id)
      assert.notEqual(opened.id, node.netns.id)
    },
  },
  {
    name: 'a name that is taken is EEXIST, one that is not there ENOENT, one that is no name EINVAL',
    async run(bed) {
      const node = await bed.node()
      const { netns } = node.kernel
      await bed.namespace(node, 'pod')
      await refuses('EEXIST', netns.create('pod'))
      await refuses('ENOENT', netns.delete('other'))
      await refuses('ENOENT', netns.open('/nowhere/at/all'))
      for (const bad of ['', '.', '..', 'a/b']) await refuses('EINVAL', netns.create(bad))
      await netns.delete('pod')
      await refuses('ENOENT', netns.delete('pod'))
    },
  },
  {
    name: 'a reference keeps its namespace, with its links, after the name went',
    async run(bed) {
      const node = await bed.node()
      const netns = bed.keep(await node.kernel.netns.create('pod'))
      const first = node.kernel.in(netns)
      await first.links.add({ kind: 'bridge', name: 'kept' })
      await first[Symbol.asyncDispose]()
      await node.kernel.netns.delete('pod')
      assert.deepEqual(await node.kernel.netns.list(), [])
      const again = bed.keep(node.kernel.in(netns))
      assert.equal((await again.links.get('kept')).kind, 'bridge')
    },
  },
  {
    name: 'a handle keeps its namespace after the reference was disposed and the name went',
    async run(bed) {
      const node = await bed.node()
      const netns = await node.kernel.netns.create('pod')
      const handle = bed.keep(node.kernel.in(netns))
      await handle.links.add({ kind: 'bridge', name: 'kept' })
      await netns[Symbol.asyncDispose]()
      await node.kernel.netns.delete('pod')
      assert.equal((await handle.links.get('kept')).kind, 'bridge')
    },
  },
  {
    name: 'a name bound again names another namespace, and the old reference stays with the old one',
    async run(bed) {
      const node = await bed.node()
      const old = await bed.namespace(node, 'pod')
      await old.at.links.add({ kind: 'bridge', name: 'old' })
      await node.kernel.netns.delete('pod')
      const young = await bed.namespace(node, 'pod')
      assert.notEqual(young.netns.id, old.netns.id)
      assert.equal(young.netns.path, old.netns.path)
      await refuses('ENODEV', young.at.links.get('old'))
      assert.equal((await old.at.links.get('old')).kind, 'bridge')
    },
  },
  {
    name: 'a namespace with neither name nor reference is gone, and so is the far end of its links',
    async run(bed) {
      const node = await bed.node()
      const netns = await node.kernel.netns.create('pod')
      await must(node.at, {
        op: 'link.add',
        link: { kind: 'veth', name: 'near', peer: { name: 'far', netns } },
      })
      await bed.within('the near end to go', async (signal) => {
        const changes = node.at.changes({ signal })
        await node.kernel.netns.delete('pod')
        await netns[Symbol.asyncDispose]()
        for await (const change of changes) {
          if (change.table === 'links' && change.type === 'gone' && change.row.name === 'near') return
        }
        throw signal.reason
      })
      await refuses('ENODEV', node.at.links.get('near'))
    },
  },
  {
    name: "disposing of the host's reference does nothing",
    async run(bed) {
      const node = await bed.node()
      await node.kernel.netns.host[Symbol.asyncDispose]()
      const again = bed.keep(node.kernel.in(node.kernel.netns.host))
      assert.equal((await again.links.get('eth0')).up, true)
    },
  },
  {
    name: 'two nodes have namespaces of the same name that are not the same',
    async run(bed) {
      const [one, two] = await bed.nodes(2)
      assert(one !== undefined && two !== undefined)
      const a = await bed.namespace(one, 'pod')
      const b = await bed.namespace(two, 'pod')
      assert.notEqual(a.netns.id, b.netns.id)
      assert.deepEqual(
        (await one.kernel.netns.list()).map((entry) => entry.id),
        [a.netns.id],
      )
    },
  },
]
