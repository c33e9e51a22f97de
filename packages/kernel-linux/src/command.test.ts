import { spawnSync } from 'node:child_process'
import {
  commandLog,
  formatCommand,
  type Kernel,
  type Namespace,
  type Operation,
  withMiddleware,
} from '@podfabric/kernel'
import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { linuxAvailable } from './availability.ts'
import { linuxLab } from './testing/lab.ts'

const availability = linuxAvailable()
const missing = availability.available
  ? ['ip', 'bridge', 'nft', 'nsenter', 'sysctl']
      .filter((name) => spawnSync(name, ['-V']).error !== undefined)
      .join(', ')
  : availability.reason
const title = 'printed commands'

/** Each list is applied by the kernel in one namespace, and typed in another. */
const scripts: Readonly<Record<string, readonly Operation[]>> = {
  'links, a bridge and its ports': [
    {
      op: 'link.add',
      link: {
        kind: 'bridge',
        name: 'br0',
        mac: mac('02:00:00:00:00:01'),
        mtu: 1400,
        ageing: 20,
        up: true,
        alias: "podfabric:it's a bridge",
      },
    },
    {
      op: 'link.add',
      link: {
        kind: 'veth',
        name: 'v0',
        mac: mac('02:00:00:00:00:02'),
        bridge: 'br0',
        up: true,
        peer: { name: 'v1', mac: mac('02:00:00:00:00:03'), mtu: 1300 },
      },
    },
    {
      op: 'link.set',
      name: 'v0',
      change: { port: { hairpin: true, flood: false, learning: false, isolated: true } },
    },
    { op: 'link.set', name: 'v1', change: { name: 'eth9', mtu: 1200, alias: 'podfabric:x', up: true } },
    {
      op: 'fdb.add',
      entry: { link: 'v0', mac: mac('02:00:00:00:00:77'), state: 'static', owner: 'master' },
    },
    { op: 'link.add', link: { kind: 'bridge', name: 'gone' } },
    { op: 'link.delete', name: 'gone' },
  ],
  'addresses, routes, rules and neighbors': [
    { op: 'link.add', link: { kind: 'bridge', name: 'br0', mac: mac('02:00:00:00:00:01'), up: true } },
    { op: 'address.add', address: { link: 'br0', address: ifAddress('10.0.0.1/24') } },
    { op: 'address.add', address: { link: 'br0', address: ifAddress('10.0.1.1/24'), noPrefixRoute: true } },
    { op: 'address.replace', address: { link: 'br0', address: ifAddress('fd00::1/64'), noDad: true } },
    { op: 'address.add', address: { link: 'br0', address: ifAddress('10.0.2.1/32'), scope: 'link' } },
    { op: 'address.delete', address: { link: 'br0', address: ifAddress('10.0.2.1/32') } },
    {
      op: 'route.add',
      route: {
        destination: prefix('10.9.0.0/16'),
        gateway: ip('10.0.0.2'),
        link: 'br0',
        source: ip('10.0.0.1'),
        metric: 7,
        protocol: 80,
        mtu: 1400,
        advmss: 1300,
      },
    },
    {
      op: 'route.replace',
      route: { destination: prefix('10.8.0.0/16'), gateway: ip('192.0.2.1'), link: 'br0', onlink: true },
    },
    { op: 'route.add', route: { destination: prefix('10.7.0.0/16'), link: 'br0', table: 1000 } },
    { op: 'route.add', route: { destination: prefix('10.6.0.0/16'), type: 'blackhole' } },
    { op: 'route.add', route: { destination: prefix('fd06::/64'), type: 'unreachable' } },
    { op: 'route.add', route: { destination: prefix('10.5.0.0/16'), gateway: ip('fd00::2'), link: 'br0' } },
    { op: 'route.add', route: { destination: prefix('fd09::/64'), gateway: ip('fd00::2'), metric: 5 } },
    { op: 'route.add', route: { destination: prefix('fd08::/64'), gateway: ip('fd00::2') } },
    { op: 'route.delete', route: { destination: prefix('fd08::/64'), gateway: ip('fd00::2') } },
    {
      op: 'rule.add',
      rule: {
        family: 4,
        priority: 500,
        from: prefix('10.1.0.0/16'),
        mark: { value: 16, mask: 240 },
        input: 'br0',
        invert: true,
        action: { lookup: 1000 },
        protocol: 80,
      },
    },
    { op: 'rule.add', rule: { family: 6, priority: 501, to: prefix('fd05::/64'), action: 'prohibit' } },
    { op: 'rule.add', rule: { family: 4, priority: 502, output: 'br0', action: 'blackhole' } },
    { op: 'rule.delete', rule: { family: 4, priority: 502, output: 'br0', action: 'blackhole' } },
    {
      op: 'neighbor.add',
      neighbor: { link: 'br0', address: ip('10.0.0.9'), mac: mac('02:00:00:00:00:09'), protocol: 80 },
    },
    {
      op: 'neighbor.replace',
      neighbor: { link: 'br0', address: ip('fd00::9'), mac: mac('02:00:00:00:00:09') },
    },
    { op: 'neighbor.add', neighbor: { link: 'br0', address: ip('10.0.0.10'), proxy: true } },
    {
      op: 'neighbor.add',
      neighbor: { link: 'br0', address: ip('10.0.0.11'), mac: mac('02:00:00:00:00:09') },
    },
    { op: 'neighbor.delete', neighbor: { link: 'br0', address: ip('10.0.0.11') } },
    { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value: '1' },
    { op: 'sysctl.set', name: 'net.ipv4.conf.br0.proxy_arp', value: '1' },
  ],
  'a vxlan link and its entries': [
    {
      op: 'link.add',
      link: {
        kind: 'vxlan',
        name: 'vx0',
        vni: 7,
        mac: mac('02:00:00:00:00:01'),
        local: ip('192.168.50.1'),
        learning: false,
        up: true,
      },
    },
    {
      op: 'link.add',
      link: { kind: 'vxlan', name: 'vx1', vni: 8, udpPort: 4789, mac: mac('02:00:00:00:00:02') },
    },
    {
      op: 'fdb.add',
      entry: { link: 'vx0', mac: mac('02:00:00:00:00:77'), destination: ip('192.168.50.2') },
    },
    {
      op: 'fdb.append',
      entry: { link: 'vx1', mac: mac('00:00:00:00:00:00'), destination: ip('192.168.50.2') },
    },
    {
      op: 'fdb.append',
      entry: { link: 'vx1', mac: mac('00:00:00:00:00:00'), destination: ip('192.168.50.3') },
    },
    {
      op: 'fdb.delete',
      entry: { link: 'vx1', mac: mac('00:00:00:00:00:00'), destination: ip('192.168.50.2') },
    },
  ],
  nftables: [
    {
      op: 'nft.apply',
      commands: [
        { verb: 'add', object: { kind: 'table', family: 'inet', name: 'pods' } },
        {
          verb: 'add',
          object: {
            kind: 'set',
            family: 'inet',
            table: 'pods',
            name: 'nets',
            type: 'ipv4_addr',
            interval: true,
          },
        },
        {
          verb: 'add',
          object: {
            kind: 'elements',
            family: 'inet',
            table: 'pods',
            set: 'nets',
            elements: ['10.1.0.0/16', '10.2.0.0/16'],
          },
        },
        {
          verb: 'add',
          object: {
            kind: 'chain',
            family: 'inet',
            table: 'pods',
            name: 'post',
            base: { type: 'nat', hook: 'postrouting', priority: 100 },
          },
        },
        {
          verb: 'add',
          object: {
            kind: 'rule',
            family: 'inet',
            table: 'pods',
            chain: 'post',
            expressions: [
              { match: 'ip saddr', value: { set: 'nets' } },
              { match: 'oifname', op: '!=', value: 'br 0' },
              { match: 'meta l4proto', value: ['tcp', 'udp'] },
              { counter: { packets: 0, bytes: 0 } },
              { masquerade: {} },
            ],
            comment: "podfabric:it's ours",
          },
        },
        {
          verb: 'add',
          object: {
            kind: 'rule',
            family: 'inet',
            table: 'pods',
            chain: 'post',
            expressions: [
              { match: 'tcp dport', value: 80 },
              { match: 'meta mark', value: 16 },
              { snat: { address: 'fd00::1', port: 8080 } },
            ],
          },
        },
      ],
    },
  ],
}

describe.skipIf(missing !== '')(missing === '' ? title : `${title} (skipped: ${missing})`, () => {
  let lab: Awaited<ReturnType<typeof linuxLab>>
  let kernel: Kernel
  beforeEach(async () => {
    lab = await linuxLab()
    const [node] = await lab.nodes(1)
    if (node === undefined) throw new Error('the lab gave no node')
    kernel = node
  })
  afterEach(() => lab.close())

  for (const [what, operations] of Object.entries(scripts)) {
    it(`of ${what} do the same as the operations`, async () => {
      const log = commandLog()
      const applied = await kernel.netns.create('applied')
      const typed = await kernel.netns.create('typed')
      const byKernel = withMiddleware(kernel, log.middleware).in(applied)
      const byHand = kernel.in(typed)
      try {
        for (const outcome of await byKernel.apply(operations)) if (!outcome.ok) throw outcome.error
        expect(log.entries).toHaveLength(operations.length)
        for (const { operation } of log.entries) {
          const command = formatCommand(operation, { netns: typed.path })
          const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
          expect(`${command}: ${status} ${stderr}`).toBe(`${command}: 0 `)
        }
        expect(await stateOf(byHand)).toEqual(await stateOf(byKernel))
      } finally {
        for (const open of [byKernel, byHand, applied, typed]) await open[Symbol.asyncDispose]()
      }
    })
  }

  it('into another namespace name it by its path', async () => {
    const pod = await kernel.netns.create('pod')
    const host = kernel.in(kernel.netns.host)
    const inside = kernel.in(pod)
    try {
      const operation: Operation = {
        op: 'link.add',
        link: { kind: 'veth', name: 'near', peer: { name: 'eth0', netns: pod } },
      }
      const command = formatCommand(operation, { netns: pod.path })
      expect(command).toBe(
        `nsenter --net=${pod.path} ip link add name near type veth peer name eth0 netns ${pod.path}`,
      )
      expect(spawnSync('sh', ['-c', command]).status).toBe(0)
      expect((await inside.links.get('eth0')).kind).toBe('veth')
    } finally {
      for (const open of [inside, host, pod]) await open[Symbol.asyncDispose]()
    }
  })
})

/** Everything but what the kernel chooses at random or counts. */
async function stateOf(namespace: Namespace) {
  const [links, addresses, routes, rules, neighbors, fdb, nft] = await Promise.all([
    namespace.links.list(),
    namespace.addresses.list(),
    namespace.routes.list(),
    namespace.rules.list(),
    namespace.neighbors.list(),
    namespace.fdb.list(),
    namespace.nft.list(),
  ])
  const settings = ['net.ipv4.ip_forward', 'net.ipv4.conf.all.proxy_arp']
  const isSettled = (row: { readonly address: string }) => !row.address.startsWith('fe80:')
  return {
    links,
    addresses: addresses.filter(isSettled).map(({ tentative, ...row }) => row),
    routes: routes.filter(
      (row) => !row.destination.startsWith('fe80:') && !row.destination.startsWith('ff00:'),
    ),
    rules,
    neighbors: neighbors.filter((row) => row.state === 'permanent' || row.proxy === true),
    fdb: fdb.filter((row) => !row.mac.startsWith('33:33') && !row.mac.startsWith('01:00:5e')),
    nft,
    settings: await Promise.all(settings.map((name) => namespace.sysctl.get(name))),
  }
}
