import assert from 'node:assert/strict'
import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import { type CaseBody, ping, refuses } from './bed.ts'
import { joined } from './topology.ts'

export const neighborCases: readonly CaseBody[] = [
  ...(['10.1.0.77', 'fd01::77'] as const).map(
    (text): CaseBody => ({
      name: `the neighbor ${text} is added once, replaced, and deleted once`,
      async run(bed) {
        const { a } = await joined(bed)
        const { neighbors } = a.at
        const row = { link: 'eth0', address: ip(text), mac: mac('02:00:00:00:00:01'), protocol: 80 }
        await neighbors.add(row)
        await refuses('EEXIST', neighbors.add(row))
        const find = async () => (await neighbors.list()).find((one) => one.address === text)
        assert.deepEqual(await find(), { ...row, state: 'permanent' })
        await neighbors.replace({ ...row, mac: mac('02:00:00:00:00:02') })
        assert.equal((await find())?.mac, '02:00:00:00:00:02')
        await neighbors.delete({ link: 'eth0', address: row.address })
        assert.equal(await find(), undefined)
        await refuses('ENOENT', neighbors.delete({ link: 'eth0', address: row.address }))
        await refuses('ENODEV', neighbors.add({ ...row, link: 'ghost' }))
      },
    }),
  ),
  {
    name: 'every own address is told on every link, and with arp_ignore only those that the link has',
    async run(bed) {
      const { a, b } = await joined(bed)
      const [own, elsewhere] = ['10.1.0.2', '10.33.0.1'] as const
      await b.at.addresses.add({ link: 'lo', address: ifAddress(`${elsewhere}/32`) })
      await a.at.routes.add({ destination: prefix(`${elsewhere}/32`), link: 'eth0' })
      const outcomes = async () => {
        const kinds: string[] = []
        for (const address of [own, elsewhere]) {
          kinds.push((await ping(a, address)).kind)
          await a.at.neighbors.delete({ link: 'eth0', address: ip(address) })
        }
        return kinds
      }
      assert.deepEqual(await outcomes(), ['reply', 'reply'])
      await b.at.sysctl.set('net.ipv4.conf.eth0.arp_ignore', '1')
      assert.deepEqual(await outcomes(), ['reply', 'unreachable'])
    },
  },
  {
    name: 'a proxy entry is listed as one, and apart from the neighbor itself',
    async run(bed) {
      const { a } = await joined(bed)
      const address = ip('10.1.0.77')
      await a.at.neighbors.add({ link: 'eth0', address, proxy: true })
      await a.at.neighbors.add({ link: 'eth0', address, mac: mac('02:00:00:00:00:01') })
      const rows = (await a.at.neighbors.list()).filter((row) => row.address === address)
      assert.deepEqual(rows.map((row) => [row.proxy ?? false, row.mac]).toSorted(), [
        [false, '02:00:00:00:00:01'],
        [true, undefined],
      ])
      await a.at.neighbors.delete({ link: 'eth0', address, proxy: true })
      const left = (await a.at.neighbors.list()).filter((row) => row.address === address)
      assert.equal(left.length, 1)
    },
  },
  ...(['10.1.0.2', 'fd01::2'] as const).map(
    (text): CaseBody => ({
      name: `sending to ${text} finds out who has it`,
      async run(bed) {
        const { a, b } = await joined(bed)
        const outcome = await ping(a, text)
        assert.equal(outcome.kind, 'reply')
        const row = (await a.at.neighbors.list()).find((one) => one.address === text)
        assert.equal(row?.mac, (await b.at.links.get('eth0')).mac)
        assert.notEqual(row?.state, 'permanent')
      },
    }),
  ),
  ...(['10.1.0.77', 'fd01::77'] as const).map(
    (text): CaseBody => ({
      name: `a permanent neighbor at ${text} is used without asking, so a wrong one gets no answer`,
      async run(bed) {
        const { a, b } = await joined(bed)
        const destination = ip(text)
        const right = (await b.at.links.get('eth0')).mac
        await b.at.addresses.add({
          link: 'eth0',
          address: ifAddress(`${text}/${text.includes(':') ? 64 : 24}`),
          noDad: true,
        })
        await a.at.neighbors.add({ link: 'eth0', address: destination, mac: mac('02:00:00:00:00:99') })
        assert.equal((await a.at.sockets.echo({ destination, timeout: 200 })).kind, 'timeout')
        await a.at.neighbors.replace({ link: 'eth0', address: destination, mac: right })
        assert.equal((await ping(a, destination)).kind, 'reply')
      },
    }),
  ),
  {
    name: 'a neighbor that does not answer is failed, and the sender is told the host is unreachable',
    async run(bed) {
      const { a } = await joined(bed)
      const destination = ip('10.1.0.77')
      const outcome = await a.at.sockets.echo({ destination, timeout: 8000 })
      assert.deepEqual(outcome, { kind: 'unreachable', from: '10.1.0.1', code: 1 })
      const row = (await a.at.neighbors.list()).find((one) => one.address === destination)
      assert.equal(row?.state, 'failed')
      assert.equal(row?.mac, undefined)
    },
  },
  {
    name: 'an IPv6 neighbor that does not answer makes the address unreachable',
    async run(bed) {
      const { a } = await joined(bed)
      const outcome = await ping(a, 'fd01::77', { timeout: 8000 })
      assert.deepEqual(outcome, { kind: 'unreachable', from: 'fd01::1', code: 3 })
    },
  },
  {
    name: 'neighbors go with their link',
    async run(bed) {
      const { a } = await joined(bed)
      await a.at.neighbors.add({ link: 'eth0', address: ip('10.1.0.77'), mac: mac('02:00:00:00:00:01') })
      await a.at.links.delete('eth0')
      assert.deepEqual(
        (await a.at.neighbors.list()).filter((row) => row.link === 'eth0'),
        [],
      )
    },
  },
]
