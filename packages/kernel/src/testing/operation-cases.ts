import assert from 'node:assert/strict'
import { ifAddress, prefix } from '@podfabric/netaddr'
import { type CaseBody, must, refuses } from './bed.ts'

export const operationCases: readonly CaseBody[] = [
  {
    name: 'a batch applies in order: later operations find what earlier ones made',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const outcomes = await at.apply([
        { op: 'link.add', link: { kind: 'bridge', name: 'br0' } },
        { op: 'address.add', address: { link: 'br0', address: ifAddress('10.0.0.1/24') } },
        { op: 'link.set', name: 'br0', change: { up: true } },
        { op: 'route.add', route: { destination: prefix('10.9.0.0/16'), link: 'br0' } },
        { op: 'link.set', name: 'br0', change: { name: 'br1' } },
        { op: 'address.add', address: { link: 'br1', address: ifAddress('10.0.1.1/24') } },
        { op: 'link.delete', name: 'br1' },
        { op: 'link.add', link: { kind: 'bridge', name: 'br1' } },
        { op: 'address.add', address: { link: 'br1', address: ifAddress('10.0.2.1/24') } },
      ])
      assert.deepEqual(
        outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.message)),
        Array.from({ length: 9 }, () => 'ok'),
      )
      const rows = await at.addresses.list()
      assert.deepEqual(
        rows.filter((row) => row.address.startsWith('10.')).map((row) => row.address),
        ['10.0.2.1/24'],
      )
    },
  },
  {
    name: 'a batch has one outcome for each operation, goes on after a failure, and takes nothing back',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const outcomes = await at.apply([
        { op: 'link.add', link: { kind: 'bridge', name: 'br0' } },
        { op: 'link.add', link: { kind: 'bridge', name: 'br0' } },
        { op: 'link.delete', name: 'ghost' },
        { op: 'address.add', address: { link: 'ghost', address: ifAddress('10.0.0.1/24') } },
        { op: 'link.add', link: { kind: 'bridge', name: 'br1' } },
      ])
      assert.deepEqual(
        outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code)),
        ['ok', 'EEXIST', 'ENODEV', 'ENODEV', 'ok'],
      )
      assert.equal((await at.links.get('br0')).kind, 'bridge')
      assert.equal((await at.links.get('br1')).kind, 'bridge')
    },
  },
  {
    name: 'an empty batch has no outcomes',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      assert.deepEqual(await at.apply([]), [])
    },
  },
  {
    name: 'an error names the command that was refused and the errno',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const [outcome] = await at.apply([{ op: 'link.delete', name: 'ghost' }])
      assert(outcome !== undefined && !outcome.ok)
      assert.equal(outcome.error.name, 'KernelError')
      assert.equal(outcome.error.operation, 'ip link delete dev ghost')
      assert.match(outcome.error.message, /^ip link delete dev ghost: .+ \(ENODEV\)$/)
    },
  },
  {
    name: 'a sysctl is read back as written, in its namespace only',
    async run(bed) {
      const node = await bed.node()
      const a = await bed.namespace(node, 'a')
      const b = await bed.namespace(node, 'b')
      const name = 'net.ipv4.ip_forward'
      await must(a.at, { op: 'sysctl.set', name, value: '1' })
      await must(b.at, { op: 'sysctl.set', name, value: '0' })
      assert.equal(await a.at.sysctl.get(name), '1')
      assert.equal(await b.at.sysctl.get(name), '0')
    },
  },
  {
    name: 'a sysctl that stands already is not written again by ensure: the links’ own settings stay',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'bridge', name: 'br0' })
      const [all, own] = ['net.ipv6.conf.all.forwarding', 'net.ipv6.conf.br0.forwarding']
      await at.sysctl.ensure(all, '1')
      assert.equal(await at.sysctl.get(own), '1')
      await at.sysctl.set(own, '0')
      await at.sysctl.ensure(all, '1')
      assert.equal(await at.sysctl.get(own), '0')
      await at.sysctl.ensure('net.ipv4.ping_group_range', '0 100')
      assert.match(await at.sysctl.get('net.ipv4.ping_group_range'), /^0\s100$/)
      await at.sysctl.ensure('net.ipv4.ping_group_range', '0 100')
      await refuses('ENOENT', at.sysctl.ensure('net.ipv4.no_such_thing', '1'))
    },
  },
  {
    name: 'links have sysctls of their own, for IPv4 and IPv6',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'bridge', name: 'br0' })
      for (const name of ['net.ipv4.conf.br0.proxy_arp', 'net.ipv6.conf.br0.disable_ipv6']) {
        assert.equal(await at.sysctl.get(name), '0')
        await at.sysctl.set(name, '1')
        assert.equal(await at.sysctl.get(name), '1')
      }
    },
  },
  {
    name: 'a sysctl that is not there is ENOENT',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await refuses('ENOENT', at.sysctl.get('net.ipv4.conf.ghost.forwarding'))
      await refuses('ENOENT', at.sysctl.set('net.ipv4.no_such_thing', '1'))
    },
  },
]
