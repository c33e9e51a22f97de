import type { PluginFactory } from '@podfabric/cni'
import type { Kernel } from '@podfabric/kernel'
import { isReady } from '@podfabric/kube'
import { type Ip, ip } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { describe, expect, it, onTestFinished } from 'vitest'
import { callByName } from './fixtures/client.ts'
import { type Lab, lab } from './fixtures/lab.ts'
import { manifest } from './fixtures/manifest.ts'
import { routedPlugin } from './fixtures/routed-plugin.ts'
import { askWorkload, httpGet } from './http-client.ts'

const deployment = (name: string, options: { replicas?: number; grace?: number; more?: string } = {}) =>
  manifest(`
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${options.replicas ?? 3}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      terminationGracePeriodSeconds: ${options.grace ?? 30}
      containers:
        - name: server
          ports: [{ containerPort: 80, name: http }]
          readinessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1 }
      ${options.more ?? ''}
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { clusterIP: None, selector: { app: ${name} }, ports: [{ port: 80, name: http, targetPort: http }] }
`)

const pod = (name: string, spec = '') =>
  manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  containers: [{ name: main, ports: [{ containerPort: 80 }] }]
  ${spec}
`)

async function running(nodes: readonly string[], options: Parameters<typeof lab>[1] = {}): Promise<Lab> {
  const made = await lab(nodes, options)
  onTestFinished(() => made.cluster.close())
  return made
}

function addressOf({ cluster }: Lab, name: string): Ip {
  const [address] = cluster.pod(name).sandbox.addresses
  if (address === undefined) throw new Error(`${name} has no address`)
  return address
}

const podsOf = ({ cluster }: Lab) => cluster.objects.list('Pod', 'default')
const namesOf = (made: Lab) => podsOf(made).map(({ metadata }) => metadata.name)
const nodesOf = (made: Lab) => podsOf(made).map(({ spec }) => spec.nodeName)
const readyAddresses = (made: Lab) =>
  podsOf(made)
    .filter((one) => isReady(one) && one.metadata.deletionTimestamp === undefined)
    .flatMap(({ status }) => status?.podIP ?? [])
    .sort()

describe('pods', () => {
  it('have addresses of their own, and see each other’s across nodes', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply(deployment('web', { replicas: 4 }))
    await made.cluster.settled()
    expect(new Set(podsOf(made).map(({ status }) => status?.podIP)).size).toBe(4)
    expect(nodesOf(made).sort()).toEqual(['n1', 'n1', 'n2', 'n2'])
    for (const from of namesOf(made)) {
      const { namespace } = made.cluster.pod(from)
      for (const to of namesOf(made)) {
        const answer = await askWorkload(namespace.sockets, { address: addressOf(made, to), port: 80 })
        expect(answer).toMatchObject({ pod: to, container: 'server', port: 80 })
        expect(answer.client.address).toBe(addressOf(made, from))
      }
    }
  })

  it('share localhost between their containers, and with no other pod', async () => {
    const made = await running(['n1'])
    made.cluster.apply([
      ...manifest(`
apiVersion: v1
kind: Pod
metadata: { name: pair }
spec:
  initContainers: [{ name: sidecar, restartPolicy: Always, ports: [{ containerPort: 8081 }] }]
  containers: [{ name: web, ports: [{ containerPort: 80 }, { containerPort: 53, protocol: UDP }] }]
`),
      ...pod('lonely'),
    ])
    await made.cluster.settled()
    const localhost = (port: number) => ({ address: ip('127.0.0.1'), port })
    const pair = made.cluster.pod('pair').namespace.sockets
    expect((await askWorkload(pair, localhost(8081))).container).toBe('sidecar')
    expect((await askWorkload(pair, localhost(80))).container).toBe('web')
    const lonely = made.cluster.pod('lonely').namespace.sockets
    await expect(askWorkload(lonely, localhost(8081))).rejects.toMatchObject({ code: 'ECONNREFUSED' })

    const socket = await lonely.udp()
    await socket.send(new Uint8Array(1), { address: addressOf(made, 'pair'), port: 53 })
    const { data } = await socket.receive()
    await socket.close()
    expect(JSON.parse(new TextDecoder().decode(data))).toMatchObject({
      pod: 'pair',
      container: 'web',
      port: 53,
    })
  })

  it('give as many octets as they are asked for', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply([...pod('a', 'nodeName: n1'), ...pod('b', 'nodeName: n2')])
    await made.cluster.settled()
    const { sockets } = made.cluster.pod('a').namespace
    const to = { address: addressOf(made, 'b'), port: 80 }
    const { status, body } = await httpGet(sockets, to, { path: '/bytes/200000' })
    expect({ status, length: body.length, last: body.at(-1) }).toEqual({
      status: 200,
      length: 200_000,
      last: 199_999 % 251,
    })
    expect((await httpGet(sockets, to, { path: '/bytes/99999999' })).status).toBe(413)
  })

  it('with hostNetwork have their node’s address and no sandbox of their own', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply([
      ...pod('host', 'hostNetwork: true\n  nodeName: n2'),
      ...pod('client', 'nodeName: n1'),
    ])
    await made.cluster.settled()
    expect(addressOf(made, 'host')).toBe('192.168.0.2')
    const client = made.cluster.pod('client')
    const { sockets } = client.namespace
    expect(await askWorkload(sockets, { address: ip('192.168.0.2'), port: 80 })).toMatchObject({
      pod: 'host',
    })
    made.cluster.delete({ kind: 'Pod', name: 'host' }, { gracePeriodSeconds: 0 })
    await made.cluster.settled()
    await expect(askWorkload(sockets, { address: ip('192.168.0.2'), port: 80 })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
  })
})

describe('names', () => {
  it('lead, by packets from inside a pod, to the pods that are ready', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply([
      ...deployment('web'),
      ...manifest(`
apiVersion: v1
kind: Pod
metadata: { name: broken, labels: { app: web } }
spec:
  containers:
    - { name: server, ports: [{ containerPort: 80, name: http }], readinessProbe: { tcpSocket: { port: 81 } } }
`),
      ...pod('client'),
    ])
    const failed = made.cluster.settled({ timeout: 30_000 })
    await expect(failed).rejects.toThrow(
      /pod default\/broken: container server: readiness probe: .*ECONNREFUSED/,
    )
    const resolver = made.cluster.pod('client').resolver()
    expect([...(await resolver.lookup('web'))].sort()).toEqual(
      readyAddresses(made).filter((one) => one !== addressOf(made, 'client')),
    )
    expect(await resolver.lookup('web')).not.toContain(addressOf(made, 'broken'))
    const { records } = await resolver.find('_http._tcp.web.default.svc.cluster.local', 'SRV')
    expect(records).toHaveLength(3)
  })

  it('of a StatefulSet’s pods are its own, and come back with them', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply([
      ...manifest(`
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  serviceName: db
  replicas: 2
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec: { containers: [{ name: db, ports: [{ containerPort: 80 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: db }, ports: [{ port: 80 }] }
`),
      ...pod('client'),
    ])
    await made.cluster.settled()
    const client = made.cluster.pod('client')
    const resolver = client.resolver()
    const before = addressOf(made, 'db-1')
    expect(await resolver.lookup('db-1.db')).toEqual([before])
    expect(await resolver.reverse(before)).toEqual(['db-1.db.default.svc.cluster.local'])
    made.cluster.delete({ kind: 'Pod', name: 'db-1' })
    await made.cluster.settled()
    const after = addressOf(made, 'db-1')
    expect(after).not.toBe(before)
    expect(await resolver.lookup('db-1.db')).toEqual([after])
    expect(await askWorkload(client.namespace.sockets, { address: after, port: 80 })).toMatchObject({
      pod: 'db-1',
    })
  })

  it('are answered again when the DNS pod of a node is deleted, and by another node’s meanwhile', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply([...deployment('web'), ...pod('client', 'nodeName: n1')])
    await made.cluster.settled()
    const client = made.cluster.pod('client')
    const before = made.cluster.pod('dns-n1', 'kube-system').sandbox.addresses
    made.cluster.delete({ kind: 'Pod', name: 'dns-n1', namespace: 'kube-system' })
    expect(await client.resolver().lookup('web')).toHaveLength(3)
    await made.cluster.settled()
    expect(made.cluster.pod('dns-n1', 'kube-system').sandbox.addresses).not.toEqual(before)
    expect(await client.resolver().lookup('web')).toHaveLength(3)
  })
})

describe('a client that calls by name and keeps answers for as long as they say', () => {
  async function rollOver(grace: number) {
    const made = await running(['n1', 'n2'])
    const orders = { kind: 'Deployment', name: 'orders' } as const
    made.cluster.apply([...deployment('orders', { grace }), ...pod('client')])
    await made.cluster.settled()
    const calls = callByName(made.cluster, made.network.clock, 'client', 'orders')
    const first = namesOf(made)
    await made.cluster.settled()
    made.cluster.scale(orders, 13)
    await made.cluster.settled()
    const most = namesOf(made).length
    made.cluster.restart(orders)
    await made.cluster.settled()
    const second = namesOf(made)
    made.cluster.scale(orders, 1)
    await made.cluster.settled()
    await calls.stop()
    return { calls, first, most, second, last: namesOf(made), made }
  }

  it('fails no call while a deployment goes from 3 to 13 and 1 and is rolled over', {
    timeout: 60_000,
  }, async () => {
    const { calls, first, most, second, last } = await rollOver(30)
    expect(calls.failures).toEqual([])
    expect(calls.count).toBeGreaterThan(100)
    expect(first).toHaveLength(4)
    expect(most).toBe(14)
    expect(second.filter((name) => first.includes(name))).toEqual(['client'])
    expect(last).toHaveLength(2)
  })

  it('fails calls where pods get no grace period', { timeout: 60_000 }, async () => {
    const { calls } = await rollOver(0)
    expect(calls.failures.length).toBeGreaterThan(0)
  })
})

describe('a node', () => {
  it('that joins takes pods, and they are reached', async () => {
    const made = await running(['n1'])
    made.cluster.apply(deployment('web', { replicas: 2 }))
    await made.cluster.settled()
    await made.join('n2')
    made.cluster.apply(pod('new'))
    await made.cluster.settled()
    expect(made.cluster.pod('new').node).toBe('n2')
    const [old = ''] = namesOf(made).filter((name) => name !== 'new')
    const { sockets } = made.cluster.pod(old).namespace
    expect(await askWorkload(sockets, { address: addressOf(made, 'new'), port: 80 })).toMatchObject({
      node: 'n2',
    })
  })

  it('that is drained gives its pods up without a failed call, and takes them again once uncordoned', {
    timeout: 60_000,
  }, async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply([...deployment('web', { replicas: 4 }), ...pod('client', 'nodeName: n2')])
    await made.cluster.settled()
    const calls = callByName(made.cluster, made.network.clock, 'client', 'web')
    made.cluster.drainNode('n1')
    await made.cluster.settled()
    await calls.stop()
    expect(calls.failures).toEqual([])
    expect(new Set(nodesOf(made))).toEqual(new Set(['n2']))
    expect(made.cluster.objects.list('Pod').map(({ metadata }) => metadata.name)).toContain('dns-n1')
    made.cluster.uncordonNode('n1')
    made.cluster.scale({ kind: 'Deployment', name: 'web' }, 6)
    await made.cluster.settled()
    expect(nodesOf(made)).toContain('n1')
  })

  it('that crashes is noticed, and its pods come back elsewhere', async () => {
    const made = await running(['n1', 'n2', 'n3'])
    made.cluster.apply([...deployment('web', { replicas: 6 }), ...pod('client', 'nodeName: n3')])
    await made.cluster.settled()
    const before = made.network.clock.now()
    await made.crash('n1')
    await made.cluster.settled()
    expect(made.network.clock.now() - before).toBeGreaterThan(300_000)
    expect(nodesOf(made)).not.toContain('n1')
    expect(podsOf(made)).toHaveLength(7)
    const client = made.cluster.pod('client')
    for (const address of await client.resolver().lookup('web')) {
      expect((await askWorkload(client.namespace.sockets, { address, port: 80 })).node).not.toBe('n1')
    }
    expect(() => made.cluster.node('n1')).toThrow('node n1 has crashed; there are n2, n3')
  })

  it('that crashed may join again under its name, as the machine that it is after a reboot', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply([...pod('there', 'nodeName: n1'), ...pod('client', 'nodeName: n2')])
    await made.cluster.settled()
    await made.crash('n1')
    made.network.remove('n1')
    await made.join('n1')
    await made.cluster.settled()
    const { sockets } = made.cluster.pod('client').namespace
    expect(await askWorkload(sockets, { address: addressOf(made, 'there'), port: 80 })).toMatchObject({
      pod: 'there',
    })
    expect(await made.cluster.node('n1').agent.runtime.attachments('pods')).toHaveLength(2)
  })

  it('that crashed can be taken out of the cluster at once', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply(deployment('web', { replicas: 4 }))
    await made.cluster.settled()
    await made.crash('n1')
    await made.cluster.removeNode('n1')
    await made.cluster.settled({ timeout: 30_000 })
    expect(nodesOf(made)).toEqual(['n2', 'n2', 'n2', 'n2'])
    expect(made.cluster.objects.list('Node').map(({ metadata }) => metadata.name)).toEqual(['n2'])
    await expect(made.cluster.removeNode('n1')).rejects.toMatchObject({ code: 'CLUSTER_NOT_FOUND' })
  })

  it('that leaves gives everything back', async () => {
    const made = await running(['n1', 'n2'])
    made.cluster.apply(deployment('web', { replicas: 4 }))
    await made.cluster.settled()
    const { kernel } = made.cluster.node('n1')
    await made.cluster.removeNode('n1')
    expect(await leftOn(kernel)).toEqual({ links: ['lo', 'eth0'], namespaces: [] })
    await made.cluster.settled()
    expect(nodesOf(made)).toEqual(['n2', 'n2', 'n2', 'n2'])
  })

  it('whose network cannot be put in order does not join, and may try again', async () => {
    const made = await running(['n1'])
    const { network, cluster } = made
    // Without a card there is no address for the network to use.
    const joining = { name: 'n2', kernel: network.node('n2'), addresses: [] }
    await expect(cluster.addNode(joining)).rejects.toThrow(
      'network pods on node n2: the node has no address on eth0',
    )
    expect(cluster.nodes()).toEqual(['n1'])
    expect(cluster.objects.get('Node', 'n2')).toBeUndefined()
    await made.join('n2')
    expect(cluster.nodes()).toEqual(['n1', 'n2'])
    await expect(cluster.addNode(joining)).rejects.toMatchObject({ code: 'CLUSTER_EXISTS' })
  })
})

describe('close', () => {
  it('leaves nothing on the nodes’ kernels, and nothing allocated', async () => {
    const network = { clock: { now: () => 0, after: () => ({ [Symbol.dispose]: () => undefined }) } }
    const store = memoryStore(network)
    const made = await lab(['n1', 'n2'], { store })
    made.cluster.apply([...deployment('web'), ...pod('host', 'hostNetwork: true')])
    await made.cluster.settled()
    const kernels = made.cluster.nodes().map((name) => made.cluster.node(name).kernel)
    await made.cluster.close()
    for (const kernel of kernels) {
      expect(await leftOn(kernel)).toEqual({ links: ['lo', 'eth0'], namespaces: [] })
    }
    const keys = (await store.list('')).entries.map(({ key }) => key)
    expect(keys.filter((key) => !/\/nodes\/|\/pools?\/|cursor/.test(key))).toEqual([])
  })
})

async function leftOn(kernel: Kernel) {
  const host = kernel.in(kernel.netns.host)
  try {
    const links = (await host.links.list()).map(({ name }) => name)
    return { links, namespaces: await kernel.netns.list() }
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

describe('what cannot be', () => {
  it('is tried again: a network that refuses a pod for a while', async () => {
    let refusals = 3
    const moody: PluginFactory<null> = (context) => {
      const plugin = routedPlugin(context)
      return {
        ...plugin,
        async add(request) {
          if (request.args.K8S_POD_NAME === 'web' && refusals-- > 0) throw new Error('not in the mood')
          return plugin.add(request)
        },
      }
    }
    const made = await running(['n1'], { plugins: { routed: moody } })
    made.cluster.apply(pod('web'))
    await expect(made.cluster.settled({ timeout: 500 })).rejects.toThrow('not in the mood')
    await made.cluster.settled()
    expect(refusals).toBe(-1)
    expect(made.cluster.objects.get('Pod', 'web', 'default')?.status).not.toHaveProperty('reason')
  })

  it('is told: two containers that want one port', async () => {
    const made = await running(['n1'])
    made.cluster.apply(
      manifest(`
apiVersion: v1
kind: Pod
metadata: { name: twins }
spec:
  containers: [{ name: a, ports: [{ containerPort: 80 }] }, { name: b, ports: [{ containerPort: 80 }] }]
`),
    )
    await expect(made.cluster.settled({ timeout: 5000 })).rejects.toMatchObject({
      code: 'CLUSTER_NOT_SETTLED',
      message: expect.stringContaining('EADDRINUSE'),
    })
    const pair = made.cluster.pod('twins')
    const answer = await askWorkload(pair.namespace.sockets, { address: addressOf(made, 'twins'), port: 80 })
    expect(answer.container).toBe('a')
  })

  it('is told: a pod without a network, an object that is not there, a count below zero', async () => {
    const { cluster } = await running([])
    cluster.apply(pod('web'))
    expect(() => cluster.pod('web')).toThrow('pod default/web has no network')
    expect(() => cluster.pod('wob')).toThrow('there is no Pod wob in namespace default')
    expect(() => cluster.delete({ kind: 'Namespace', name: 'shop' })).toThrow('there is no Namespace shop')
    expect(() => cluster.delete({ kind: 'Namespace', name: 'default' })).toThrow(
      'the cluster itself needs this',
    )
    cluster.apply(deployment('web'))
    expect(() => cluster.scale({ kind: 'Deployment', name: 'web' }, -1)).toThrow('-1 replicas')
    await expect(cluster.settled({ timeout: 1000 })).rejects.toThrow('0 of 0 nodes fit: there is no node')
    expect(() => cluster.drainNode('n1')).toThrow('there is no node n1; there are none')
  })
})
