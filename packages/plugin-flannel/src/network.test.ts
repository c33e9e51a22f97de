import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@podfabric/kernel'
import { linux, linuxAvailable } from '@podfabric/kernel-linux'
import { ifAddress, ip, networkAddress } from '@podfabric/netaddr'
import type { Store } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  kernels,
  must,
  pod,
  rowsOf,
  simulatedLab,
  storeOn,
  subnetOf,
  type TestLab,
  type TestNode,
  testNode,
  until,
} from './network.fixture.ts'
import { nodeRecords } from './node-record.ts'

const link = 'flannel.1'
const hostGw = { backend: { type: 'host-gw' } }
const direct = { backend: { type: 'vxlan', directRouting: true } }
const ipv6 = { network: 'fd44::/48' }

describe.each(kernels)('a flannel network on $name', ({ skip, make }) => {
  let lab: TestLab
  let store: Store
  let nodes: TestNode[]

  beforeEach(async () => {
    nodes = []
    if (!skip) lab = await make()
  })
  afterEach(async () => {
    if (skip) return
    for (const { controller, host } of nodes) {
      await controller.stop()
      await host[Symbol.asyncDispose]()
    }
    await lab.close()
  })

  /** Two nodes that know each other, with a pod each. */
  async function begin(config: object = {}, peerConfig: object = config) {
    store = storeOn(lab.clock)
    const [first, second] = await lab.nodes(2)
    if (!first || !second) throw new Error('the lab gave no two nodes')
    const common = { store, clock: lab.clock }
    const one = testNode({ ...common, kernel: first, name: 'node-1', config })
    const two = testNode({ ...common, kernel: second, name: 'node-2', config: peerConfig })
    nodes.push(one, two)
    await one.controller.start()
    await two.controller.start()
    await until(lab, one, 'node-1 knows node-2', async () => hasRoute(one, await subnetOf(two, store)))
    return [one, two] as const
  }

  const hasRoute = async ({ host }: TestNode, destination: string) =>
    (await host.routes.list()).some((row) => row.destination === destination)
  const mtuOf = async ({ name }: TestNode) => (await nodeRecords(store).get(name))?.value.mtu ?? 0
  const podOn = async (node: TestNode) => pod(node, await subnetOf(node, store), await mtuOf(node))
  const macOf = async ({ host }: TestNode) => (await host.links.get(link)).mac

  /** What pod 1 gets from pod 2: a reply from its own address, and what pod 2 saw of the sender. */
  async function reach(one: TestNode, two: TestNode) {
    const [a, b] = [await podOn(one), await podOn(two)]
    const outcome = await a.at.sockets.echo({ destination: b.address, timeout: 5000 })
    expect(outcome).toMatchObject({ kind: 'reply', from: b.address })
    const server = await b.at.sockets.udp({ address: b.address, port: 7000 })
    const client = await a.at.sockets.udp({ address: a.address, port: 7001 })
    await client.send(new Uint8Array(1000), { address: b.address, port: 7000 })
    const received = await server.receive()
    expect(received?.from.address).toBe(a.address)
    await client[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
    return [a, b] as const
  }

  it.skipIf(skip)('carries packets of pods through VXLAN at their own addresses', async () => {
    const [one, two] = await begin()
    const [a, b] = await reach(one, two)
    expect(await mtuOf(one)).toBe(1450)
    const largest = await a.at.sockets.echo({
      destination: b.address,
      timeout: 5000,
      dontFragment: true,
      payload: new Uint8Array(1422),
    })
    expect(largest.kind).toBe('reply')
    const base = networkAddress(await subnetOf(two, store))
    expect(await rowsOf(one)).toEqual([
      `fdb ${await macOf(two)} 192.168.50.2 permanent`,
      `neighbor ${base} ${await macOf(two)} permanent`,
      `route ${await subnetOf(two, store)} via ${base} dev ${link} onlink`,
    ])
  })

  it.skipIf(skip)('heals while it runs: device, route, fdb entry', async () => {
    const [one, two] = await begin()
    const rows = await rowsOf(one)
    const isWhole = async () => JSON.stringify(await rowsOf(one)) === JSON.stringify(rows)
    const destination = await subnetOf(two, store)
    await one.host.routes.delete({ destination })
    await until(lab, one, 'the route is there again', isWhole)
    await one.host.fdb.delete({ link, mac: await macOf(two) })
    await until(lab, one, 'the fdb entry is there again', isWhole)
    await one.host.links.delete(link)
    await until(lab, one, 'the device is there again', isWhole)
    await reach(one, two)
  })

  it.skipIf(skip)('goes on when a controller stops, and is not touched when it starts again', async () => {
    const [one, two] = await begin()
    const [a, b] = await reach(one, two)
    const [rows, mac] = [await rowsOf(one), await macOf(one)]
    await one.controller.stop()
    expect(await rowsOf(one)).toEqual(rows)
    expect((await a.at.sockets.echo({ destination: b.address, timeout: 5000 })).kind).toBe('reply')
    one.commands.length = 0
    one.renew()
    await one.controller.start()
    expect(one.commands).toEqual([])
    expect([await rowsOf(one), await macOf(one)]).toEqual([rows, mac])
  })

  it.skipIf(skip)(
    'makes its device anew where another’s parameters do not fit, at the same MAC address',
    async () => {
      const [one, two] = await begin()
      const before = await macOf(one)
      await one.controller.stop()
      await two.controller.stop()
      one.renew({ backend: { type: 'vxlan', port: 4789 } })
      two.renew({ backend: { type: 'vxlan', port: 4789 } })
      await one.controller.start()
      await two.controller.start()
      expect(await one.host.links.get(link)).toMatchObject({ udpPort: 4789, mac: before })
      await reach(one, two)
    },
  )

  it.skipIf(skip)('is plain routes without a tunnel with host-gw, at the underlay’s MTU', async () => {
    const [one, two] = await begin(hostGw)
    await reach(one, two)
    expect(await mtuOf(one)).toBe(1500)
    expect(await rowsOf(one)).toEqual([`route ${await subnetOf(two, store)} via 192.168.50.2 dev eth0`])
    expect((await one.host.links.list()).some(({ kind }) => kind === 'vxlan')).toBe(false)
  })

  it.skipIf(skip)('routes to direct neighbors without the tunnel with directRouting', async () => {
    const [one, two] = await begin(direct)
    await reach(one, two)
    expect(await mtuOf(one)).toBe(1450)
    expect(await rowsOf(one)).toEqual([`route ${await subnetOf(two, store)} via 192.168.50.2 dev eth0`])
  })

  it.skipIf(skip)('takes the tunnel again when directRouting is switched off', async () => {
    const [one, two] = await begin(direct)
    await one.controller.stop()
    one.renew({})
    await one.controller.start()
    const base = networkAddress(await subnetOf(two, store))
    expect(await rowsOf(one)).toContain(`route ${await subnetOf(two, store)} via ${base} dev ${link} onlink`)
    await reach(one, two)
  })

  it.skipIf(skip)('carries IPv6 over IPv4', async () => {
    const [one, two] = await begin(ipv6)
    expect(await subnetOf(one, store)).toBe('fd44:0:0:1::/64')
    await reach(one, two)
    expect(await mtuOf(one)).toBe(1450)
  })

  it.skipIf(skip)('carries IPv6 over IPv6, where the outer header is 20 octets longer', async () => {
    store = storeOn(lab.clock)
    const both = await lab.nodes(2)
    for (const [index, kernel] of both.entries()) {
      const node = testNode({ kernel, name: `node-${index + 1}`, store, clock: lab.clock, config: ipv6 })
      nodes.push(node)
      const rows = await node.host.addresses.list()
      const v4 = rows.find((row) => row.link === 'eth0' && !row.address.includes(':'))
      if (v4) await node.host.addresses.delete({ link: 'eth0', address: v4.address })
      await node.controller.start()
    }
    const [one, two] = nodes
    if (!one || !two) throw new Error('two nodes')
    await until(lab, one, 'node-1 knows node-2', async () => hasRoute(one, await subnetOf(two, store)))
    expect(await one.host.links.get(link)).toMatchObject({ local: 'fd50::1', mtu: 1430 })
    await reach(one, two)
  })

  it.skipIf(skip)('is plain IPv6 routes with host-gw', async () => {
    const [one, two] = await begin({ ...ipv6, ...hostGw })
    await reach(one, two)
    const rows = (await one.host.routes.list()).filter(({ gateway }) => gateway === ip('fd50::2'))
    expect(rows.map(({ destination }) => destination)).toEqual([await subnetOf(two, store)])
  })
})

describe('the MTU of a flannel network', () => {
  it.each([
    [1500, {}, 1450],
    [9000, {}, 8950],
    [1460, {}, 1410],
    [1500, hostGw, 1500],
    [1500, direct, 1450],
  ])('over %i octets, with %j, is %i', async (mtu, config, expected) => {
    const lab = simulatedLab(mtu)
    const store = storeOn(lab.clock)
    const [kernel] = await lab.nodes(1)
    if (!kernel) throw new Error('no node')
    const node = testNode({ kernel, name: 'node-1', store, clock: lab.clock, config })
    await node.controller.start()
    expect((await nodeRecords(store).get('node-1'))?.value.mtu).toBe(expected)
    await node.controller.stop()
  })
})

describe('what the commands of a machine say of a node', () => {
  const hasCommands = ['ip', 'bridge', 'nsenter'].every((each) => spawnSync(each, ['-V']).error === undefined)
  const skip = !linuxAvailable().available || !hasCommands
  const title = skip ? ' (skipped: no privileges, or no iproute2)' : ''

  it.skipIf(skip)(`is what the controller keeps${title}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'flannel-'))
    const machine = linux({ directory: folder })
    const store = storeOn(systemClock)
    const nodes: TestNode[] = []
    const netns = [await machine.netns.create('one'), await machine.netns.create('two')] as const
    const cable = machine.in(netns[0])
    await cable.links.add({ kind: 'veth', name: 'eth0', peer: { name: 'eth0', netns: netns[1] } })
    await cable[Symbol.asyncDispose]()
    for (const [index, { path }] of netns.entries()) {
      const kernel = linux({ host: path, directory: join(folder, `node-${index}`) })
      const node = testNode({ kernel, name: `node-${index + 1}`, store, clock: systemClock })
      const address = ifAddress(`192.168.50.${index + 1}/24`)
      await must(node.host, [
        { op: 'link.set', name: 'eth0', change: { up: true } },
        { op: 'address.add', address: { link: 'eth0', address } },
      ])
      nodes.push(node)
    }
    const [one, two] = nodes
    if (!one || !two) throw new Error('two nodes')
    try {
      for (const { controller } of nodes) await controller.start()
      const subnet = await subnetOf(two, store)
      await until({ clock: systemClock }, one, 'node-1 knows node-2', async () =>
        (await one.host.routes.list()).some((row) => row.destination === subnet),
      )
      const say = (command: string, ...args: string[]) => {
        const { stdout, stderr, status } = spawnSync(
          'nsenter',
          [`--net=${netns[0].path}`, command, ...args],
          {
            encoding: 'utf8',
          },
        )
        expect([status, stderr]).toEqual([0, ''])
        return stdout
      }
      const base = networkAddress(subnet)
      const { mac } = await two.host.links.get(link)
      const device = say('ip', '-d', 'link', 'show', 'dev', link)
      expect(device).toMatch(/vxlan id 1 local 192\.168\.50\.1 dev eth0 .*dstport 8472 nolearning/)
      expect(device).toContain('mtu 1450')
      expect(device).toContain(`alias podfabric:${link}`)
      expect(say('ip', 'neigh', 'show', 'dev', link)).toMatch(
        new RegExp(`^${base} lladdr ${mac} (proto 80 )?PERMANENT`, 'm'),
      )
      expect(say('bridge', 'fdb', 'show', 'dev', link).trim()).toBe(`${mac} dst 192.168.50.2 self permanent`)
      expect(say('ip', 'route', 'show', subnet)).toMatch(
        new RegExp(`^${subnet} via ${base} dev ${link} proto 80 onlink`),
      )
    } finally {
      for (const { controller, host } of nodes) {
        await controller.stop()
        await host[Symbol.asyncDispose]()
      }
      for (const { path } of netns) await machine.netns.delete(path.split('/').at(-1) ?? '')
      for (const each of netns) await each[Symbol.asyncDispose]()
      await machine[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true })
    }
  })
})
