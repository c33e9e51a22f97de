import { type TestNode, testKernels, within } from '@podfabric/conformance/testing'
import { failNth, haltAt, type NftObject, systemClock, withMiddleware } from '@podfabric/kernel'
import { memoryStore } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listWith, nodeAddress, type PortmapNode, portmapNode, publishing, reached } from './node.fixture.ts'
import { tableName } from './table.ts'

const web = { hostPort: 8080, containerPort: 80, protocol: 'tcp' }
const dns = { hostPort: 53, containerPort: 53, protocol: 'udp', hostIP: '192.0.2.1' }

describe.each(testKernels)('portmap on $name', ({ skip, make }) => {
  let made: TestNode
  let node: PortmapNode
  beforeEach(async () => {
    if (skip) return
    made = await make()
    node = await portmapNode(made)
  })
  afterEach(async () => {
    if (!skip) await made.close()
  })

  const onNode = <T>(work: Parameters<typeof within<T>>[2]) => within(node.kernel, '', work)
  const rules = () =>
    onNode(async ({ nft }) => (await nft.list()).map((each) => JSON.stringify({ ...each, handle: 0 })).sort())
  const records = async () => (await node.store.list('')).entries.map(({ key }) => key)

  it.skipIf(skip)('passes on the result as it came, and does nothing without ports', async () => {
    const one = await node.container('one')
    const runtime = node.runtime()
    expect(await runtime.add(listWith(), publishing(one, web))).toEqual(one.result)
    await runtime.del(listWith(), publishing(one))
    expect(await runtime.add(listWith(), publishing(one))).toEqual(one.result)
    expect(
      await runtime.add(listWith(), publishing(await node.container('two'), { ...web, hostPort: 0 })),
    ).toBeDefined()
    await runtime.check(listWith(), publishing(one))
    expect(await rules()).toEqual([])
    expect(await records()).toEqual([])
  })

  it.skipIf(skip)(
    'DELs without a result, a namespace, a mapping, and again, and leaves nothing',
    async () => {
      const one = await node.container('one')
      await node.runtime().add(listWith(), publishing(one, web, dns, { ...web, hostPort: 8081 }))
      expect(await rules()).not.toEqual([])
      await node.kernel.netns.delete('one')
      const forgetful = node.runtime()
      for (let times = 0; times < 2; times++) {
        await forgetful.del(listWith(), { containerId: 'one', ifName: 'eth0', netns: '' })
        expect(await rules()).toEqual([])
        expect(await records()).toEqual([])
      }
    },
  )

  it.skipIf(skip)('DELs a container whose ADD was refused, though its configuration still is', async () => {
    const one = publishing(await node.container('one'), { ...web, protocol: 'sctp' })
    const refused = listWith({ conditionsV4: ['-s', '10.0.0.0/8'] })
    const runtime = node.runtime()
    await expect(runtime.add(listWith(), one)).rejects.toMatchObject({ number: 2 })
    await runtime.del(listWith(), one)
    await expect(runtime.add(refused, one)).rejects.toMatchObject({ number: 2 })
    await runtime.del(refused, one)
    await expect(runtime.status(refused)).rejects.toMatchObject({ number: 2 })
    await runtime.status(listWith())
    expect(await rules()).toEqual([])
  })

  it.skipIf(skip)('removes of one attachment exactly what it has', async () => {
    const [one, two] = [await node.container('one'), await node.container('two')]
    const runtime = node.runtime()
    await runtime.add(listWith(), publishing(one, web))
    const before = await rules()
    await runtime.add(listWith(), publishing(two, { ...web, hostPort: 8081 }, dns))
    await runtime.del(listWith(), publishing(two))
    expect(await rules()).toEqual(before)
    await runtime.check(listWith(), publishing(one))
  })

  it.skipIf(skip).each<[string, object, object, string | undefined]>([
    ['the same port', web, web, 'tcp port 8080 of the node is taken: container one, interface eth0'],
    ['all addresses after one', { ...web, hostIP: '192.0.2.1' }, web, 'has it of 192.0.2.1'],
    ['one address after all', web, { ...web, hostIP: '192.0.2.1' }, 'has it of all addresses'],
    ['the same address', dns, dns, 'udp port 53 of 192.0.2.1 is taken'],
    ['another address', dns, { ...dns, hostIP: '127.0.0.1' }, undefined],
    ['another protocol', web, { ...web, protocol: 'udp' }, undefined],
    ['another family', { ...web, hostIP: '0.0.0.0' }, { ...web, hostIP: '::' }, undefined],
  ])('gives a port once, in whichever network: %s', async (_, first, second, refusal) => {
    const [one, two] = [await node.container('one'), await node.container('two')]
    const runtime = node.runtime()
    const spare = { ...web, hostPort: 9999 }
    await runtime.add(listWith(), publishing(one, first as typeof web))
    const [before, kept] = [await rules(), await records()]
    for (const list of [listWith(), listWith({}, 'other')]) {
      const added = runtime.addOrUndo(list, publishing(two, spare, second as typeof web))
      if (refusal === undefined) {
        await added
        await runtime.del(list, publishing(two))
      } else {
        const message = expect.stringContaining(refusal)
        await expect(added).rejects.toMatchObject({ number: 102, message })
        if (list.name === 'other') {
          await expect(added).rejects.toThrow('container one, interface eth0 of network net has it')
        }
      }
      // An empty table of another family may stay as long as the network has containers.
      if (refusal !== undefined) expect(await rules()).toEqual(before)
      expect(await records()).toEqual(kept)
    }
    await runtime.check(listWith(), publishing(one))
    await runtime.del(listWith(), publishing(one))
    await runtime.add(listWith({}, 'other'), publishing(two, second as typeof web))
  })

  it.skipIf(skip)('shares a port by its addresses until the last one goes', async () => {
    const [one, two, three] = [
      await node.container('one'),
      await node.container('two'),
      await node.container('three'),
    ]
    const runtime = node.runtime()
    const at = (hostIP: string) => ({ ...web, hostIP })
    await runtime.add(listWith(), publishing(one, at('192.0.2.1'), at('127.0.0.1')))
    await runtime.add(listWith({}, 'other'), publishing(two, at('10.88.0.1')))
    await runtime.del(listWith(), publishing(one))
    await expect(runtime.addOrUndo(listWith(), publishing(three, web))).rejects.toMatchObject({ number: 102 })
    await runtime.add(listWith(), publishing(three, at('192.0.2.1')))
    await runtime.del(listWith({}, 'other'), publishing(two))
    await runtime.check(listWith(), publishing(three))
    await runtime.del(listWith(), publishing(three))
    await runtime.add(listWith(), publishing(one, web))
  })

  it.skipIf(skip)('lets one of many have a port that all want at once', async () => {
    const containers = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => node.container(name)))
    const runtime = node.runtime()
    const outcomes = await Promise.allSettled(
      containers.map((each, index) =>
        runtime.addOrUndo(listWith({}, `net${index % 2}`), publishing(each, web)),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const each of outcomes) {
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ number: 102 })
    }
    for (const [index, each] of containers.entries())
      await runtime.del(listWith({}, `net${index % 2}`), publishing(each))
    expect(await rules()).toEqual([])
    expect(await records()).toEqual([])
  })

  it.skipIf(skip)('leaves nothing when any of its operations fails', async () => {
    const one = await node.container('one')
    let failed = 0
    for (;;) {
      const kernel = withMiddleware(node.kernel, failNth(failed + 1, 'ENOBUFS'))
      const added = await node
        .runtime({ kernel })
        .add(listWith(), publishing(one, web, dns))
        .catch((error: unknown) => error)
      if (!(added instanceof Error)) break
      failed++
      expect(added).toMatchObject({ number: 11 })
      expect([failed, await rules()]).toEqual([failed, []])
      expect([failed, await records()]).toEqual([failed, []])
    }
    expect(failed).toBeGreaterThan(3)
  })

  it.skipIf(skip).each(['DEL', 'GC', 'ADD'] as const)(
    'is cleaned up by %s after a kill at any of its operations',
    async (verb) => {
      const [one, other] = [await node.container('one'), await node.container('other')]
      await node.runtime().add(listWith({}, 'kept'), publishing(other, { ...web, hostPort: 1 }))
      const before = await rules()
      const kept = await records()
      let kills = 0
      for (let done = false; !done; ) {
        await new Promise<void>((resolve) => {
          const kernel = withMiddleware(node.kernel, haltAt(kills + 1, resolve))
          node
            .runtime({ kernel })
            .add(listWith(), publishing(one, web, dns))
            .then(
              () => {
                done = true
                resolve()
              },
              () => resolve(),
            )
        })
        kills++
        const next = node.runtime()
        if (verb === 'ADD') {
          await next.add(listWith(), publishing(one, web))
          await next.check(listWith(), publishing(one, web))
        }
        await (verb === 'GC' ? next.gc(listWith(), []) : next.del(listWith(), publishing(one)))
        expect([kills, await rules()]).toEqual([kills, before])
        expect([kills, await records()]).toEqual([kills, kept])
      }
      expect(kills).toBeGreaterThan(1)
    },
  )

  it.skipIf(skip)('collects what is not valid, of its own network, and never what is', async () => {
    const [one, two, other] = [
      await node.container('one'),
      await node.container('two'),
      await node.container('other'),
    ]
    const runtime = node.runtime()
    await runtime.add(listWith(), publishing(one, web))
    await runtime.add(listWith({}, 'other'), publishing(other, { ...web, hostPort: 8082 }))
    const before = await rules()
    await runtime.add(listWith(), publishing(two, { ...web, hostPort: 8081 }, dns))
    const { containerId, ifName } = one
    await node.runtime().gc(listWith(), [{ containerId, ifName }])
    expect(await rules()).toEqual(before)
    await runtime.check(listWith(), publishing(one))
    await node.runtime().gc(listWith(), [])
    await node.runtime().gc(listWith({}, 'other'), [])
    expect(await rules()).toEqual([])
    expect(await records()).toEqual([])
  })

  it.skipIf(skip)('finds what it made when the store has lost everything', async () => {
    const [one, two] = [await node.container('one'), await node.container('two')]
    await node.runtime().add(listWith(), publishing(one, web, dns))
    const empty = () => memoryStore({ clock: systemClock })
    // A port is still its holder’s.
    const runtime = node.runtime({ store: empty() })
    await expect(runtime.addOrUndo(listWith(), publishing(two, web))).rejects.toThrow(
      'container one, interface eth0',
    )
    // The same container again takes the place of what it had.
    await runtime.add(listWith(), publishing(one, { ...web, hostPort: 8081 }))
    await runtime.add(listWith(), publishing(two, web))
    await node.runtime({ store: empty() }).del(listWith(), publishing(one))
    await node.runtime({ store: empty() }).gc(listWith(), [])
    expect(await rules()).toEqual([])
  })

  it.skipIf(skip).each<[string, (objects: readonly NftObject[]) => readonly NftObject[], string]>([
    [
      'a lost table',
      (objects) => objects.filter((each) => each.kind === 'table' && each.family === 'ip'),
      `missing: the table ip ${tableName}`,
    ],
    [
      'a lost port',
      (objects) =>
        objects.filter((each) => each.kind === 'elements' && 'map' in each && each.map === 'ports'),
      'tcp,8080 to 10.88.0.2,80 in ip podfabric-portmap ports',
    ],
    [
      'lost rules',
      (objects) =>
        objects.filter((each) => each.kind === 'rule' && each.chain === 'translate' && each.family === 'ip6'),
      '3 of the rules in chain ip6 podfabric-portmap translate',
    ],
    [
      'a lost hairpin',
      (objects) =>
        objects.filter((each) => each.kind === 'elements' && 'set' in each && each.set.startsWith('hairpin')),
      'cni0,tcp,8080 in ip podfabric-portmap hairpin-13',
    ],
  ])('fails CHECK for %s, and DELs all the same', async (_, lost, message) => {
    const one = await node.container('one')
    const runtime = node.runtime()
    await runtime.add(listWith(), publishing(one, web))
    await runtime.check(listWith(), publishing(one, web))
    await onNode(async ({ nft }) => {
      for (const object of lost(await nft.list())) await nft.apply([{ verb: 'delete', object }])
    })
    await expect(runtime.check(listWith(), publishing(one, web))).rejects.toMatchObject({
      number: 104,
      message: expect.stringContaining(message),
    })
    await runtime.del(listWith(), publishing(one))
    expect(await rules()).toEqual([])
  })

  it.skipIf(skip)(
    'fails CHECK where localhost is not routed any more, and for what was never published',
    async () => {
      const [one, two] = [await node.container('one'), await node.container('two')]
      const runtime = node.runtime()
      await runtime.add(listWith(), publishing(one, web))
      await onNode(({ sysctl }) => sysctl.set('net.ipv4.conf.cni0.route_localnet', '0'))
      await expect(runtime.check(listWith(), publishing(one))).rejects.toThrow(
        'net.ipv4.conf.cni0.route_localnet is not 1',
      )
      const other = node.runtime()
      await other.add(listWith({}, 'other'), publishing(two, { ...web, hostPort: 1 }))
      for (const key of await records()) if (key.includes('other')) await node.store.delete(key)
      await expect(other.check(listWith({}, 'other'), publishing(two))).rejects.toThrow('is not attached')
    },
  )

  it.skipIf(skip)('refuses to be the first of a list', async () => {
    const one = await node.container('one')
    const alone = { ...listWith(), plugins: listWith().plugins.slice(1) }
    await expect(node.runtime().addOrUndo(alone, publishing(one, web))).rejects.toMatchObject({
      number: 7,
      message: expect.stringContaining('prevResult'),
    })
  })

  it.skipIf(skip)('works again for the first container after the last one has gone', async () => {
    const one = await node.container('one')
    const runtime = node.runtime()
    for (let times = 0; times < 2; times++) {
      await runtime.add(listWith(), publishing(one, web))
      const way = { from: node.client, to: nodeAddress.ip, port: 8080, server: one.netns }
      expect(await reached(node.kernel, way)).toBe('10.88.0.2 saw 192.0.2.2')
      await runtime.del(listWith(), publishing(one))
      expect(await rules()).toEqual([])
    }
  })
})
