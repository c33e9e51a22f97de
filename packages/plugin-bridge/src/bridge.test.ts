import { type AddResult, linkName, parseNetworkList } from '@podfabric/cni'
import { cniRuntime, inProcess } from '@podfabric/cni/runtime'
import { keptLog, recordingPlugin } from '@podfabric/cni/testing'
import { type TestNode, testIpam, testKernels, within } from '@podfabric/conformance/testing'
import {
  failNth,
  formatCommand,
  haltAt,
  type Kernel,
  KernelError,
  type Namespace,
  systemClock,
  withMiddleware,
} from '@podfabric/kernel'
import { addressOf, type Ip, ifAddress, ip, prefix } from '@podfabric/netaddr'
import { memoryStore, type Store } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import bridge from './index.ts'
import { snapshot } from './node.fixture.ts'

const subnet = '10.88.0.0/24'
const settings = {
  isDefaultGateway: true,
  ipMasq: true,
  ipam: { type: 'test-ipam', subnets: [subnet] },
}
const dualStack = {
  ...settings,
  ipam: { type: 'test-ipam', subnets: [subnet, 'fd88::/64'] },
}

function network(more: object = settings) {
  return parseNetworkList(
    JSON.stringify({
      cniVersion: '1.1.0',
      name: 'net',
      plugins: [{ type: 'bridge', capabilities: { mac: true, ips: true }, ...more }],
    }),
  )
}

describe.each(testKernels)('bridge on $name', ({ skip, make }) => {
  let node: TestNode
  let store: Store

  beforeEach(async () => {
    if (skip) return
    node = await make()
    store = memoryStore({ clock: systemClock })
  })
  afterEach(async () => {
    if (!skip) await node.close()
  })

  /** A runtime that begins anew, over what the store and the kernel have. */
  function runtimeOn(kernel: Kernel = node.kernel, log = keptLog().log) {
    let count = 0
    const exec = inProcess({
      plugins: { bridge, 'test-ipam': testIpam, other: recordingPlugin('other', []) },
      context: () => ({
        kernel,
        store,
        clock: systemClock,
        log,
        random: () => (count++ * 0.618) % 1,
        node: { name: 'node-1' },
      }),
    })
    return cniRuntime({ exec, store: memoryStore({ clock: systemClock }), log })
  }

  async function pod(name: string) {
    const netns = await node.kernel.netns.create(name)
    const { path } = netns
    await netns[Symbol.asyncDispose]()
    await within(node.kernel, path, ({ links }) => links.set('lo', { up: true }))
    return { containerId: name, ifName: 'eth0', netns: path }
  }

  const onHost = <T>(work: (host: Namespace) => Promise<T>) => within(node.kernel, '', work)
  const inPod = <T>({ netns }: { netns: string }, work: (at: Namespace) => Promise<T>) =>
    within(node.kernel, netns, work)
  const ping = (from: { netns: string }, destination: Ip) =>
    inPod(from, async ({ sockets }) => (await sockets.echo({ destination, timeout: 2000 })).kind)
  const addressOfPod = (result: AddResult, index = 0): Ip => {
    const given = result.ips[index]
    if (given === undefined) throw new Error('no address')
    return addressOf(given.address)
  }
  const records = async () =>
    (await store.list('')).entries.map(({ key }) => key).filter((key) => !key.includes('cursors'))

  it.skipIf(skip)(
    'connects containers with each other and with the node, and says what it made',
    async () => {
      const runtime = runtimeOn()
      const [one, two] = [await pod('one'), await pod('two')]
      const first = await runtime.add(network(dualStack), one)
      const second = await runtime.add(network(dualStack), two)
      const host = linkName('veth', 'net', one)
      expect(first).toMatchObject({
        interfaces: [{ name: 'cni0' }, { name: host }, { name: 'eth0', sandbox: one.netns, mtu: 1500 }],
        ips: [
          { address: '10.88.0.2/24', gateway: '10.88.0.1', interface: 2 },
          { address: 'fd88::2/64', gateway: 'fd88::1', interface: 2 },
        ],
        routes: [
          { destination: '0.0.0.0/0', gateway: '10.88.0.1' },
          { destination: '::/0', gateway: 'fd88::1' },
        ],
      })
      await inPod(one, async ({ links }) => {
        expect((await links.get('eth0')).mac).toBe(first.interfaces[2]?.mac)
      })
      for (const destination of [
        ip('10.88.0.1'),
        ip('fd88::1'),
        addressOfPod(second),
        addressOfPod(second, 1),
      ]) {
        expect([destination, await ping(one, destination)]).toEqual([destination, 'reply'])
      }
      await runtime.check(network(dualStack), one)
    },
  )

  it.skipIf(skip)(
    'forwards IPv6 from the first packet on, with no wait for the bridge’s own address',
    async () => {
      await runtimeOn().add(network(dualStack), await pod('one'))
      expect(await onHost(({ sysctl }) => sysctl.get('net.ipv6.conf.cni0.accept_dad'))).toBe('0')
    },
  )

  it.skipIf(skip)(
    'leaves the node as it was when the last container goes, and others connected before',
    async () => {
      const runtime = runtimeOn()
      const before = await snapshot(node.kernel)
      const [one, two] = [await pod('one'), await pod('two')]
      await runtime.add(network(dualStack), one)
      const second = await runtime.add(network(dualStack), two)
      await runtime.del(network(dualStack), one)
      expect(await ping(two, ip('10.88.0.1'))).toBe('reply')
      await runtime.check(network(dualStack), two)
      expect(addressOfPod(second)).toBe('10.88.0.3')
      await runtime.del(network(dualStack), two)
      expect(await snapshot(node.kernel)).toEqual(before)
      expect(await records()).toEqual([])
    },
  )

  it.skipIf(skip)('detaches without a namespace, without a result, and again', async () => {
    const before = await snapshot(node.kernel)
    const one = await pod('one')
    await runtimeOn().add(network(), one)
    // A runtime that has lost its cache, after the container and its namespace are gone.
    await node.kernel.netns.delete('one')
    const forgetful = runtimeOn()
    for (let times = 0; times < 2; times++) {
      await forgetful.del(network(), { containerId: 'one', ifName: 'eth0', netns: '' })
    }
    expect(await snapshot(node.kernel)).toEqual(before)
    expect(await records()).toEqual([])
  })

  it.skipIf(skip)('leaves nothing when any of its operations fails', async () => {
    const one = await pod('one')
    const before = await snapshot(node.kernel)
    let failed = 0
    for (;;) {
      const runtime = runtimeOn(withMiddleware(node.kernel, failNth(failed + 1, 'ENOBUFS')))
      const result = await runtime.add(network(dualStack), one).catch((error: unknown) => error)
      if (!(result instanceof Error)) break
      failed++
      expect(result).toMatchObject({ number: 11 })
      expect([failed, await snapshot(node.kernel)]).toEqual([failed, before])
      expect([failed, await records()]).toEqual([failed, []])
    }
    expect(failed).toBeGreaterThan(10)
  })

  it.skipIf(skip).each(['DEL', 'GC'] as const)(
    'is cleaned up by %s after a kill at any of its operations',
    async (verb) => {
      const one = await pod('one')
      const before = await snapshot(node.kernel)
      let kills = 0
      for (let done = false; !done; ) {
        const killed = new Promise<'killed'>((resolve) => {
          const runtime = runtimeOn(
            withMiddleware(
              node.kernel,
              haltAt(kills + 1, () => resolve('killed')),
            ),
          )
          runtime.add(network(dualStack), one).then(
            () => {
              done = true
              resolve('killed')
            },
            () => resolve('killed'),
          )
        })
        await killed
        kills++
        const next = runtimeOn()
        await (verb === 'DEL' ? next.del(network(dualStack), one) : next.gc(network(dualStack), []))
        expect([kills, await snapshot(node.kernel)]).toEqual([kills, before])
        expect([kills, await records()]).toEqual([kills, []])
      }
      expect(kills).toBeGreaterThan(10)
    },
  )

  it.skipIf(skip)('begins anew where a killed ADD left something', async () => {
    const one = await pod('one')
    await new Promise<void>((resolve) => {
      void runtimeOn(withMiddleware(node.kernel, haltAt(4, resolve))).add(network(), one)
    })
    const runtime = runtimeOn()
    await runtime.add(network(), one)
    await runtime.check(network(), one)
    expect(await ping(one, ip('10.88.0.1'))).toBe('reply')
  })

  it.skipIf(skip)('refuses an interface that is there already, and leaves it alone', async () => {
    const one = await pod('one')
    const runtime = runtimeOn()
    await runtime.add(network(), one)
    const before = await snapshot(node.kernel)
    await expect(runtimeOn().add(network(), one)).rejects.toMatchObject({ number: 103 })
    expect(await snapshot(node.kernel)).toEqual(before)
    await runtime.check(network(), one)
    await inPod(one, async ({ links }) => {
      await links.add({ kind: 'bridge', name: 'eth1' })
    })
    await expect(runtime.add(network(), { ...one, ifName: 'eth1' })).rejects.toMatchObject({ number: 103 })
    await runtime.check(network(), one)
  })

  it.skipIf(skip)('leaves the default route to the interface that came first', async () => {
    const one = await pod('one')
    const runtime = runtimeOn()
    await runtime.add(network(), one)
    const second = { ...one, ifName: 'eth2' }
    await runtime.add(network(), second)
    const defaults = () =>
      inPod(one, async ({ routes }) =>
        (await routes.list())
          .filter(({ destination }) => destination === '0.0.0.0/0')
          .map(({ link }) => link),
      )
    expect(await defaults()).toEqual(['eth0'])
    await runtime.check(network(), second)
    await runtime.del(network(), second)
    expect(await defaults()).toEqual(['eth0'])
    await runtime.check(network(), one)
  })

  it.skipIf(skip)('joins one network twice where only one interface is the default route', async () => {
    const one = await pod('one')
    const runtime = runtimeOn()
    await runtime.add(network(), one)
    const plain = network({ ...settings, isDefaultGateway: false })
    await runtime.add(plain, { ...one, ifName: 'eth1' })
    await runtime.del(plain, { ...one, ifName: 'eth1' })
    await runtime.check(network(), one)
  })

  it.skipIf(skip).each<[string, (one: { netns: string }, at: { host: string }) => Promise<unknown>, string]>([
    [
      'an interface that is down',
      (one) => inPod(one, ({ links }) => links.set('eth0', { up: false })),
      'eth0 is down',
    ],
    [
      'a lost address',
      (one) =>
        inPod(one, ({ addresses }) => addresses.delete({ link: 'eth0', address: ifAddress('10.88.0.2/24') })),
      'no address 10.88.0.2/24',
    ],
    [
      'a lost route',
      (one) => inPod(one, ({ routes }) => routes.delete({ destination: prefix('0.0.0.0/0') })),
      'no route to 0.0.0.0/0',
    ],
    [
      'a port taken out of the bridge',
      (_, { host }) => onHost(({ links }) => links.set(host, { bridge: null })),
      'no port of a bridge',
    ],
    [
      'a bridge that is down',
      () => onHost(({ links }) => links.set('cni0', { up: false })),
      'bridge cni0: it is down',
    ],
    [
      'a lost gateway',
      () => onHost(({ addresses }) => addresses.delete({ link: 'cni0', address: ifAddress('10.88.0.1/24') })),
      'no address 10.88.0.1/24',
    ],
    [
      'forwarding turned off',
      () => onHost(({ sysctl }) => sysctl.set('net.ipv4.ip_forward', '0')),
      'net.ipv4.ip_forward is not 1',
    ],
    [
      'lost masquerading',
      () =>
        onHost(({ nft }) =>
          nft.apply([
            { verb: 'delete', object: { kind: 'table', family: 'ip', name: 'podfabric-bridge-net' } },
          ]),
        ),
      'the rule for 10.88.0.0/24 is missing',
    ],
    ['a deleted pair', (_, { host }) => onHost(({ links }) => links.delete(host)), 'veth pair'],
    [
      'a lost reservation',
      async () => {
        for (const key of await records()) if (key.includes('owners')) await store.delete(key)
      },
      'holds no address',
    ],
  ])('fails CHECK for %s', async (_, damage, message) => {
    const one = await pod('one')
    const runtime = runtimeOn()
    await runtime.add(network(), one)
    await runtime.check(network(), one)
    await damage(one, { host: linkName('veth', 'net', one) })
    await expect(runtime.check(network(), one)).rejects.toMatchObject({
      number: 104,
      details: expect.stringContaining(message),
    })
    await runtime.del(network(), one)
  })

  it.skipIf(skip)('says that a bridge takes no more ports, and what to do, and leaves nothing', async () => {
    const full = withMiddleware(node.kernel, async (operation, next) =>
      operation.op === 'link.add' && operation.link.kind === 'veth'
        ? { ok: false, error: new KernelError('EXFULL', formatCommand(operation), 'full') }
        : next(),
    )
    const before = await snapshot(node.kernel)
    await expect(runtimeOn(full).add(network(), await pod('one'))).rejects.toMatchObject({
      message: expect.stringContaining('the bridge cni0 has 1023 ports'),
      details: expect.stringContaining('maxPods'),
    })
    expect(await snapshot(node.kernel)).toEqual(before)
  })

  it.skipIf(skip)('masquerades for two interfaces of one container, until both are gone', async () => {
    const before = await snapshot(node.kernel)
    const runtime = runtimeOn()
    const one = await pod('one')
    const second = { ...one, ifName: 'eth1' }
    await runtime.add(network(), one)
    await runtime.add(network(), second)
    await runtime.del(network(), one)
    const rules = await onHost(async ({ nft }) => (await nft.list()).filter(({ kind }) => kind === 'rule'))
    expect(rules).toHaveLength(1)
    await runtime.del(network(), { ...second, netns: '' })
    expect(await snapshot(node.kernel)).toEqual(before)
  })

  it.skipIf(skip)('collects masquerading and addresses with the last container', async () => {
    const before = await snapshot(node.kernel)
    const runtime = runtimeOn()
    await runtime.add(network(), await pod('one'))
    await runtime.gc(network(), [])
    expect(await snapshot(node.kernel)).toEqual(before)
    expect(await records()).toEqual([])
  })

  it.skipIf(skip)('leaves the container’s interface down where it is told to', async () => {
    const runtime = runtimeOn()
    const one = await pod('one')
    const list = network({ disableContainerInterface: true })
    await runtime.add(list, one)
    expect(await inPod(one, async ({ links }) => (await links.get('eth0')).up)).toBe(false)
    await runtime.check(list, one)
    await runtime.del(list, one)
  })

  it.skipIf(skip)('takes the MAC address from CNI_ARGS', async () => {
    const one = await pod('one')
    const result = await runtimeOn().add(network(), { ...one, args: { MAC: '02:00:00:00:00:07' } })
    expect(result.interfaces[2]?.mac).toBe('02:00:00:00:00:07')
  })

  it.skipIf(skip)(
    'DELs a pair that nobody recorded, if its other end is in the network’s bridge',
    async () => {
      const attached = await pod('attached')
      const other = await pod('other')
      await onHost(({ links }) => links.add({ kind: 'bridge', name: 'cni0', up: true }))
      for (const [{ netns: path }, name, bridgeName] of [
        [attached, 'vetha', 'cni0'],
        [other, 'vethb', undefined],
      ] as const) {
        const netns = await node.kernel.netns.open(path)
        const peer = { name: 'eth0', netns }
        await onHost(({ links }) =>
          links.add({ kind: 'veth', name, up: true, peer, ...(bridgeName && { bridge: bridgeName }) }),
        )
        await netns[Symbol.asyncDispose]()
        await runtimeOn().del(network(), { containerId: name, ifName: 'eth0', netns: path })
      }
      const left = await onHost(async ({ links }) => (await links.list()).map(({ name }) => name))
      expect(left).toContain('vethb')
      expect(left).not.toContain('vetha')
      await onHost(({ links }) => links.delete('vethb'))
    },
  )

  it.skipIf(skip)('collects what is not valid, its addresses too, and never what is', async () => {
    const before = await snapshot(node.kernel)
    const runtime = runtimeOn()
    const pods = [await pod('one'), await pod('two'), await pod('three')]
    const [one = raise(), two = raise()] = pods
    for (const each of pods) await runtime.add(network(), each)
    // Another runtime: this one has no results of its own to DEL by.
    await runtimeOn().gc(network(), [two])
    await runtime.check(network(), two)
    expect(await ping(two, ip('10.88.0.1'))).toBe('reply')
    expect((await records()).filter((key) => key.includes('owners'))).toHaveLength(1)
    expect(await inPod(one, async ({ links }) => (await links.list()).map(({ name }) => name))).toEqual([
      'lo',
    ])
    await runtimeOn().gc(network(), [])
    expect(await snapshot(node.kernel)).toEqual(before)
    expect(await records()).toEqual([])
  })

  it.skipIf(skip)('finds its links when the store has lost everything', async () => {
    const before = await snapshot(node.kernel)
    await runtimeOn().add(network(), await pod('one'))
    store = memoryStore({ clock: systemClock })
    await runtimeOn().gc(network(), [])
    expect(await snapshot(node.kernel)).toEqual(before)
  })

  it.skipIf(skip)('fails ADD of a full pool with number 101 and leaves nothing; STATUS says 50', async () => {
    const small = network({ ...settings, ipam: { type: 'test-ipam', subnets: ['10.88.0.0/30'] } })
    const runtime = runtimeOn()
    const one = await pod('one')
    await runtime.add(small, one)
    const before = await snapshot(node.kernel)
    const kept = await records()
    await expect(runtime.addOrUndo(small, await pod('two'))).rejects.toMatchObject({ number: 101 })
    expect(await snapshot(node.kernel)).toEqual(before)
    expect(await records()).toEqual(kept)
    await expect(runtime.status(small)).rejects.toMatchObject({ number: 50 })
  })

  it.skipIf(skip).each([true, false])('with ipMasq %s, the world sees the right sender', async (ipMasq) => {
    const runtime = runtimeOn()
    const one = await pod('one')
    const world = await pod('world')
    const outside = await node.kernel.netns.open(world.netns)
    await onHost(async ({ links, addresses }) => {
      await links.add({ kind: 'veth', name: 'uplink', up: true, peer: { name: 'eth0', netns: outside } })
      await addresses.add({ link: 'uplink', address: ifAddress('192.0.2.1/24') })
    })
    await outside[Symbol.asyncDispose]()
    await inPod(world, async ({ links, addresses, routes }) => {
      await links.set('eth0', { up: true })
      await addresses.add({ link: 'eth0', address: ifAddress('192.0.2.2/24') })
      await routes.add({ destination: prefix(subnet), gateway: ip('192.0.2.1') })
    })
    await runtime.add(network({ ...settings, ipMasq }), one)
    const seen = await inPod(world, async ({ sockets }) => {
      const receiver = await sockets.udp({ address: ip('192.0.2.2'), port: 7 })
      await inPod(one, async (at) => {
        const sender = await at.sockets.udp()
        await sender.send(new Uint8Array([1]), { address: ip('192.0.2.2'), port: 7 })
        await sender.close()
      })
      const { from } = await receiver.receive({ signal: AbortSignal.timeout(5000) })
      await receiver.close()
      return from.address
    })
    expect(seen).toBe(ipMasq ? '192.0.2.1' : '10.88.0.2')
  })

  it.skipIf(skip)('uses a bridge that is there already, and leaves it when it goes', async () => {
    await onHost(({ links }) => links.add({ kind: 'bridge', name: 'br-own' }))
    const runtime = runtimeOn()
    const one = await pod('one')
    const shared = network({ ...settings, bridge: 'br-own' })
    await runtime.add(shared, one)
    expect(await ping(one, ip('10.88.0.1'))).toBe('reply')
    await runtime.del(shared, one)
    await onHost(async ({ links }) => {
      expect((await links.get('br-own')).kind).toBe('bridge')
    })
    await expect(runtime.add(network({ ...settings, bridge: 'lo' }), one)).rejects.toMatchObject({
      number: 7,
      message: expect.stringContaining('the link lo is a loopback'),
    })
  })

  it.skipIf(skip)('takes MTU, MAC address, hairpin and isolation as configured', async () => {
    const runtime = runtimeOn()
    const one = await pod('one')
    const mac = '02:00:00:00:00:77'
    const special = network({ ...settings, mtu: 1400, hairpinMode: true, portIsolation: true })
    const result = await runtime.add(special, { ...one, capabilityArgs: { mac } })
    expect(result.interfaces[2]).toMatchObject({ mac, mtu: 1400 })
    await onHost(async ({ links }) => {
      expect(await links.get(linkName('veth', 'net', one))).toMatchObject({
        mtu: 1400,
        port: { bridge: 'cni0', hairpin: true, isolated: true },
      })
    })
    await runtime.check(special, one)
  })

  it.skipIf(skip)('makes a network without addresses where there is no IPAM', async () => {
    const runtime = runtimeOn()
    const one = await pod('one')
    const result = await runtime.add(network({}), one)
    expect(result.ips).toEqual([])
    await runtime.check(network({}), one)
    await runtime.del(network({}), one)
  })

  it.skipIf(skip)('serves many containers at once, each with an address of its own', async () => {
    const before = await snapshot(node.kernel)
    const runtime = runtimeOn()
    const pods = await Promise.all(Array.from({ length: 16 }, (_, index) => pod(`p${index}`)))
    const results = await Promise.all(pods.map((each) => runtime.add(network(), each)))
    expect(new Set(results.map((result) => addressOfPod(result))).size).toBe(16)
    await Promise.all(pods.map((each) => runtime.check(network(), each)))
    await Promise.all(pods.map((each) => runtime.del(network(), each)))
    expect(await snapshot(node.kernel)).toEqual(before)
    expect(await records()).toEqual([])
  })

  it.skipIf(skip)('passes on what a plugin before it made', async () => {
    const one = await pod('one')
    const chain = parseNetworkList(
      JSON.stringify({
        cniVersion: '1.1.0',
        name: 'net',
        plugins: [{ type: 'other' }, { type: 'bridge', ...settings }],
      }),
    )
    const runtime = runtimeOn()
    const result = await runtime.add(chain, one)
    expect(result.interfaces).toHaveLength(3)
    await runtime.check(chain, one)
  })

  it.skipIf(skip)(
    'refuses a namespace that is not there or is the node’s own, and changes nothing',
    async () => {
      const before = await snapshot(node.kernel)
      const runtime = runtimeOn()
      const nowhere = { containerId: 'x', ifName: 'eth0', netns: '/run/netns/not-there' }
      await expect(runtime.addOrUndo(network(), nowhere)).rejects.toMatchObject({ number: 4 })
      expect(await snapshot(node.kernel)).toEqual(before)
      expect(await records()).toEqual([])
    },
  )
})

function raise(): never {
  throw new Error('there is none')
}
