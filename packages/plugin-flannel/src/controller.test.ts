import { subnetLeases } from '@podfabric/ipam'
import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import type { Store } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  must,
  pod,
  rowsOf,
  type SimulatedLab,
  simulatedLab,
  storeOn,
  subnetOf,
  type TestNode,
  testNode,
} from './network.fixture.ts'
import { lossyStore } from './store.fixture.ts'

const link = 'flannel.1'

describe('the controller of flannel', () => {
  let lab: SimulatedLab
  let store: Store
  let nodes: readonly TestNode[]

  async function begin(count: number, config: object = {}, over: Store = storeOn(lab.clock)) {
    store = over
    const kernels = await lab.nodes(count)
    nodes = kernels.map((kernel, index) =>
      testNode({ kernel, name: `node-${index + 1}`, store, clock: lab.clock, config }),
    )
    for (const each of nodes) await each.controller.start()
    await lab.settle()
    return nodes
  }

  beforeEach(() => {
    lab = simulatedLab()
    nodes = []
  })
  afterEach(async () => {
    for (const { controller } of nodes) await controller.stop()
  })

  const at = (index: number): TestNode => {
    const node = nodes[index]
    if (node === undefined) throw new RangeError(`there is no node ${index}`)
    return node
  }
  const macOf = async (node: TestNode) => (await node.host.links.get(link)).mac

  /** The three rows for a peer, as they should be on every other node. */
  async function rowsFor(peer: TestNode, publicIp: string): Promise<string[]> {
    const subnet = await subnetOf(peer, store)
    const base = subnet.split('/')[0]
    const vtep = await macOf(peer)
    return [
      `fdb ${vtep} ${publicIp} permanent`,
      `neighbor ${base} ${vtep} permanent`,
      `route ${subnet} via ${base} dev ${link} onlink`,
    ]
  }

  async function expectMesh() {
    for (const node of nodes) {
      const wanted = await Promise.all(
        nodes.flatMap((peer, index) => (peer === node ? [] : [rowsFor(peer, `192.168.50.${index + 1}`)])),
      )
      expect(await rowsOf(node), node.name).toEqual(wanted.flat().toSorted())
      expect(node.controller.status(), node.name).toMatchObject({ ready: true })
    }
  }

  it('gives every node exactly one route, one neighbor and one fdb entry for each peer, and nobody learns', async () => {
    await begin(3)
    await expectMesh()
    for (const node of nodes) {
      const subnet = await subnetOf(node, store)
      const device = await node.host.links.get(link)
      expect(device).toMatchObject({
        kind: 'vxlan',
        vni: 1,
        udpPort: 8472,
        learning: false,
        mtu: 1450,
        up: true,
      })
      const addresses = (await node.host.addresses.list()).filter((row) => row.link === link)
      expect(addresses.map(({ address }) => address).filter((text) => !text.startsWith('fe80'))).toEqual([
        subnet.replace('/24', '/32'),
      ])
      expect(await node.host.sysctl.get('net.ipv4.ip_forward')).toBe('1')
      expect(node.controller.status().message).toBe(`${subnet} by vxlan, 2 peers`)
    }
    const subnets = await Promise.all(nodes.map((node) => subnetOf(node, store)))
    expect(new Set(subnets).size).toBe(3)
    const traffic = await pods()
    expect(await traffic()).toEqual(['reply', 'reply'])
    await expectMesh()
  })

  /** A pod on the first two nodes; what pings both ways become. */
  async function pods() {
    const [a, b] = [at(0), at(1)]
    const one = await pod(a, await subnetOf(a, store), 1450)
    const two = await pod(b, await subnetOf(b, store), 1450)
    const ping = async (from: typeof one, to: typeof one) =>
      (await from.at.sockets.echo({ destination: to.address, timeout: 1000 })).kind
    return async () => [await ping(one, two), await ping(two, one)]
  }

  it('forgets a peer whose lease goes, with nothing left of it', async () => {
    await begin(3)
    const record = await subnetOf(at(2), store)
    await at(2).controller.stop()
    await store.delete(`subnets/${record.replace('/', '-')}`)
    await lab.settle()
    expect(await rowsOf(at(0))).toEqual((await rowsFor(at(1), '192.168.50.2')).toSorted())
    expect(at(0).controller.status().message).toContain('1 peer')
  })

  it('follows a peer that comes back at the same subnet with another MAC address and another public address', async () => {
    await begin(2)
    const traffic = await pods()
    expect(await traffic()).toEqual(['reply', 'reply'])
    const subnet = await subnetOf(at(1), store)
    const before = await macOf(at(1))
    await at(1).controller.stop()
    await at(1).host.links.delete(link)
    await must(at(1).host, [
      { op: 'address.delete', address: { link: 'eth0', address: ifAddress('192.168.50.2/24') } },
      { op: 'address.add', address: { link: 'eth0', address: ifAddress('192.168.50.77/24') } },
    ])
    // It remembers nothing of its old device.
    await store.delete(`subnets/${subnet.replace('/', '-')}`)
    at(1).renew()
    await at(1).controller.start()
    await lab.settle()
    expect(await subnetOf(at(1), store)).toBe(subnet)
    expect(await macOf(at(1))).not.toBe(before)
    expect(await rowsOf(at(0))).toEqual((await rowsFor(at(1), '192.168.50.77')).toSorted())
    expect(await traffic()).toEqual(['reply', 'reply'])
  })

  it('follows a record that is written over in place', async () => {
    await begin(2)
    const subnet = await subnetOf(at(1), store)
    const key = `subnets/${subnet.replace('/', '-')}`
    const entry = await store.get(key)
    const record = JSON.parse(entry?.value ?? '')
    const value = JSON.stringify({
      ...record,
      PublicIP: '192.168.50.99',
      BackendData: { VNI: 1, VtepMAC: '02:00:00:00:00:99' },
    })
    await store.put(key, value)
    await lab.settle()
    const base = subnet.split('/')[0]
    expect(await rowsOf(at(0))).toEqual([
      'fdb 02:00:00:00:00:99 192.168.50.99 permanent',
      `neighbor ${base} 02:00:00:00:00:99 permanent`,
      `route ${subnet} via ${base} dev ${link} onlink`,
    ])
  })

  it('leaves out a peer of another backend, another VNI or no sense, says so once, and reaches the others', async () => {
    await begin(2)
    const records = {
      'subnets/10.244.50.0-24': { PublicIP: '192.168.50.50', Node: 'w', BackendType: 'wireguard' },
      'subnets/10.244.51.0-24': {
        PublicIP: '192.168.50.51',
        Node: 'v',
        BackendType: 'vxlan',
        BackendData: { VNI: 2, VtepMAC: '02:00:00:00:00:51' },
      },
      'subnets/172.16.0.0-24': {
        PublicIP: '192.168.50.52',
        Node: 'x',
        BackendType: 'vxlan',
        BackendData: { VNI: 1, VtepMAC: '02:00:00:00:00:52' },
      },
    }
    for (const [key, value] of Object.entries(records)) await store.put(key, JSON.stringify(value))
    await store.put('subnets/10.244.53.0-24', '{')
    await lab.settle()
    await expectMesh()
    expect(at(0).controller.status().message).toContain('1 peer; 1 of another backend')
    const warnings = at(0)
      .logged.filter(({ level }) => level === 'warn')
      .map(({ message }) => message)
    expect(warnings).toEqual([
      'flannel: a peer cannot be reached: its backend is not known here',
      'flannel: a peer cannot be reached: its subnet is not of 10.244.0.0/16',
      'flannel: a lease cannot be read',
    ])
  })

  describe('heals what somebody did to', () => {
    const base = () => subnetOf(at(1), store).then((subnet) => ip(subnet.split('/')[0] ?? ''))
    const meddling: Record<string, (host: TestNode['host']) => Promise<void>> = {
      'a route, deleted': async ({ routes }) => routes.delete({ destination: await subnetOf(at(1), store) }),
      'a route, replaced': async ({ routes }) =>
        routes.replace({
          destination: await subnetOf(at(1), store),
          gateway: ip('192.168.50.9'),
          link: 'eth0',
          protocol: 80,
        }),
      'a neighbor, deleted': async ({ neighbors }) => neighbors.delete({ link, address: await base() }),
      'a neighbor, replaced': async ({ neighbors }) =>
        neighbors.replace({ link, address: await base(), mac: mac('02:00:00:00:00:99') }),
      'an fdb entry, deleted': async ({ fdb }) => fdb.delete({ link, mac: await macOf(at(1)) }),
      'an fdb entry, replaced': async ({ fdb }) =>
        fdb.replace({ link, mac: await macOf(at(1)), destination: ip('192.168.50.9') }),
      'an fdb entry, with a second destination': async ({ fdb }) =>
        fdb.append({ link, mac: await macOf(at(1)), destination: ip('192.168.50.9') }),
      'the device, deleted': async ({ links }) => links.delete(link),
      'the device, set down': async ({ links }) => links.set(link, { up: false }),
      'the device, with another MTU': async ({ links }) => links.set(link, { mtu: 1400 }),
      'the device, with another MAC address': async ({ links }) =>
        links.set(link, { mac: mac('02:00:00:00:00:98') }),
      'the address of the device, deleted': async ({ addresses }) =>
        addresses.delete({
          link,
          address: ifAddress((await subnetOf(at(0), store)).replace('/24', '/32')),
        }),
      'the device, made anew by hand': async ({ links }) => {
        await links.delete(link)
        await links.add({ kind: 'vxlan', name: link, vni: 1, up: true })
      },
    }
    it.each(Object.keys(meddling))('%s', async (what) => {
      await begin(2)
      const traffic = await pods()
      const device = async () => {
        const { index, ...rest } = await at(0).host.links.get(link)
        const addresses = (await at(0).host.addresses.list()).filter(
          (row) => row.link === link && row.scope !== 'link',
        )
        return { ...rest, addresses }
      }
      const before = [await rowsOf(at(0)), await device()]
      await meddling[what]?.(at(0).host)
      await lab.settle()
      expect([await rowsOf(at(0)), await device()]).toEqual(before)
      expect(await traffic()).toEqual(['reply', 'reply'])
      expect(at(0).controller.status().ready).toBe(true)
    })
  })

  it('does not take the place of a route of somebody else’s, says so, and takes it when that is gone', async () => {
    await begin(2)
    const theirs = {
      destination: await subnetOf(at(1), store),
      gateway: ip('192.168.50.9'),
      link: 'eth0',
      protocol: 4,
    }
    await at(0).host.routes.replace(theirs)
    await lab.settle()
    expect(await rowsOf(at(0))).toContain(`route ${theirs.destination} via 192.168.50.9 dev eth0`)
    expect(at(0).controller.status()).toMatchObject({
      ready: false,
      message: expect.stringMatching(/^ip route add 10\.244\.2\.0\/24 .*EEXIST/),
    })
    await at(0).host.routes.delete(theirs)
    await lab.settle()
    await expectMesh()
  })

  it('does not compare for pods that come and go', async () => {
    await begin(2)
    let lists = 0
    const { host } = at(0)
    const list = host.links.list
    host.links.list = () => {
      lists++
      return list()
    }
    await pod(at(0), await subnetOf(at(0), store), 1450)
    await host.links.delete('pod')
    await lab.settle()
    expect(lists).toBe(0)
  })

  it('touches nothing when it starts again, and traffic goes on meanwhile', async () => {
    await begin(2)
    const traffic = await pods()
    const [rows, vtep, subnet] = [await rowsOf(at(0)), await macOf(at(0)), await subnetOf(at(0), store)]
    await at(0).controller.stop()
    expect(at(0).controller.status()).toEqual({ ready: false, message: 'stopped' })
    expect(await rowsOf(at(0))).toEqual(rows)
    expect(await traffic()).toEqual(['reply', 'reply'])
    at(0).commands.length = 0
    at(0).renew()
    const starting = at(0).controller.start()
    expect(await traffic()).toEqual(['reply', 'reply'])
    await starting
    await lab.settle()
    expect(at(0).commands).toEqual([])
    expect([await rowsOf(at(0)), await macOf(at(0)), await subnetOf(at(0), store)]).toEqual([
      rows,
      vtep,
      subnet,
    ])
  })

  it('takes away at its start what an earlier run left of peers that are gone', async () => {
    await begin(3)
    await at(0).controller.stop()
    const gone = await subnetOf(at(2), store)
    await at(2).controller.stop()
    await store.delete(`subnets/${gone.replace('/', '-')}`)
    at(0).renew()
    await at(0).controller.start()
    expect(await rowsOf(at(0))).toEqual((await rowsFor(at(1), '192.168.50.2')).toSorted())
  })

  it('asks for its subnet again when the lease is lost, and the data path stays', async () => {
    const over = lossyStore(storeOn(lab.clock))
    await begin(2, {}, over)
    const traffic = await pods()
    const [subnet, rows] = [await subnetOf(at(0), store), await rowsOf(at(0))]
    over.available = false
    await lab.settle(86_400_000)
    expect(at(0).controller.status()).toMatchObject({
      ready: false,
      message: expect.stringMatching(/no lease: .*; trying again/),
    })
    expect(await rowsOf(at(0))).toEqual(rows)
    expect(await traffic()).toEqual(['reply', 'reply'])
    over.available = true
    await lab.settle(20_000)
    expect(await subnetOf(at(0), store)).toBe(subnet)
    await expectMesh()
    expect(await traffic()).toEqual(['reply', 'reply'])
    // And renews it from then on.
    await lab.settle(2 * 86_400_000)
    await expectMesh()
  })

  it.each([
    ['a route', 'ip route'],
    ['a neighbor', 'ip neigh'],
    ['an fdb entry', 'bridge fdb'],
  ])('says so and tries again when the kernel refuses %s', async (_what, command) => {
    await begin(2)
    at(0).refuse = ({ op }) =>
      op === { 'ip route': 'route.add', 'ip neigh': 'neighbor.replace', 'bridge fdb': 'fdb.replace' }[command]
    await at(0).host.links.delete(link)
    await lab.settle()
    expect(at(0).controller.status()).toMatchObject({
      ready: false,
      message: expect.stringMatching(new RegExp(`^${command}.*refused by the test \\(ENOBUFS\\)$`)),
    })
    at(0).refuse = () => false
    await lab.settle(10_000)
    await expectMesh()
  })

  it('says so and tries again when the kernel refuses the device', async () => {
    await begin(2)
    at(0).refuse = ({ op }) => op === 'link.add'
    await at(0).host.links.delete(link)
    await lab.settle(25_000)
    expect(at(0).controller.status()).toMatchObject({
      ready: false,
      message: expect.stringContaining('ip link add'),
    })
    at(0).refuse = () => false
    await lab.settle(10_000)
    await expectMesh()
  })

  it('does not start where the kernel refuses the device, and nothing runs then', async () => {
    store = storeOn(lab.clock)
    const [kernel] = await lab.nodes(1)
    if (!kernel) throw new Error('no node')
    const node = testNode({ kernel, name: 'node-1', store, clock: lab.clock })
    node.refuse = ({ op }) => op === 'link.add'
    await expect(node.controller.start()).rejects.toMatchObject({ code: 'ENOBUFS' })
    expect(node.controller.status()).toMatchObject({
      ready: false,
      message: expect.stringContaining('ip link add'),
    })
    const before = node.commands.length
    await lab.settle(200_000)
    expect(node.commands.length).toBe(before)
    node.refuse = () => false
    nodes = [node]
    await node.controller.start()
    await expectMesh()
  })

  it('does not take a link of its device’s name that is not a tunnel', async () => {
    store = storeOn(lab.clock)
    const [kernel] = await lab.nodes(1)
    if (!kernel) throw new Error('no node')
    const node = testNode({ kernel, name: 'node-1', store, clock: lab.clock })
    await node.host.links.add({ kind: 'bridge', name: link })
    await expect(node.controller.start()).rejects.toMatchObject({
      code: 'CNI_NOT_AVAILABLE',
      message: `flannel: the link ${link} is a bridge and not ours; rename it, or set "backend.vni" to another number`,
    })
    expect((await node.host.links.get(link)).kind).toBe('bridge')
  })

  it('keeps the tables and says so while the store is behind, and catches up', async () => {
    const over = lossyStore(storeOn(lab.clock))
    await begin(2, {}, over)
    const rows = await rowsOf(at(0))
    over.lag()
    await lab.settle()
    expect(await rowsOf(at(0))).toEqual(rows)
    expect(at(0).controller.status()).toMatchObject({
      ready: true,
      message: expect.stringContaining('perhaps out of date: disconnected'),
    })
    over.catchUp()
    await lab.settle()
    expect(at(0).controller.status().message).not.toContain('out of date')
    await expectMesh()
  })

  it('says that there are no subnets left, and what to do', async () => {
    const small = { network: '10.244.0.0/23', subnetLength: 24 }
    await begin(1, small)
    const [, second] = await simulatedLab().nodes(2)
    if (!second) throw new Error('no node')
    const late = testNode({ kernel: second, name: 'late', store, clock: lab.clock, config: small })
    await expect(late.controller.start()).rejects.toMatchObject({
      code: 'IPAM_OUT_OF_SUBNETS',
      message: expect.stringContaining('retire nodes that will not come back or use a larger network'),
    })
    expect(late.controller.status().ready).toBe(false)
    expect(await late.host.links.list()).toHaveLength(2)
  })

  it('keeps one subnet when it is started and stopped over and over', async () => {
    await begin(2)
    const subnet = await subnetOf(at(0), store)
    for (let i = 0; i < 5; i++) {
      await at(0).controller.stop()
      at(0).renew()
      await at(0).controller.start()
    }
    expect(await subnetOf(at(0), store)).toBe(subnet)
    const { items } = await subnetLeases(store, {
      network: prefix('10.244.0.0/16'),
      subnetLength: 24,
      clock: lab.clock,
    }).list()
    expect(items).toHaveLength(2)
  })

  it('can be stopped at any moment, and does nothing after that', async () => {
    await begin(2)
    await at(0).host.links.delete(link)
    await at(0).controller.stop()
    const done = at(0).commands.length
    await at(1).host.links.delete(link)
    await lab.settle(200_000)
    expect(at(0).commands.length).toBe(done)
  })
})
