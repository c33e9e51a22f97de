import type { PluginFactory } from '@podfabric/cni'
import { ip } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import { describe, expect, it } from 'vitest'
import { lab, running } from './fixtures/lab.ts'
import { manifest } from './fixtures/manifest.ts'
import { routedPlugin } from './fixtures/routed-plugin.ts'
import {
  addressOf,
  deployment,
  leftOn,
  namesOf,
  nodesOf,
  pod,
  podsOf,
  readyAddresses,
} from './fixtures/web.ts'
import { askWorkload, httpGet } from './http-client.ts'

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
    made.cluster.apply([...pod('host', 'hostNetwork: true, nodeName: n2'), ...pod('client', 'nodeName: n1')])
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
    expect([...(await resolver.lookup('web'))].sort()).toEqual(readyAddresses(made, 'web'))
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

describe('close', () => {
  it('leaves nothing on the nodes’ kernels, and nothing allocated', async () => {
    const store = memoryStore({ clock: manualClock() })
    const made = await lab(['n1', 'n2'], { store })
    made.cluster.apply([...deployment('web'), ...pod('host', 'hostNetwork: true')])
    await made.cluster.settled()
    const kernels = made.cluster.nodes().map((name) => made.cluster.node(name).kernel)
    await made.cluster.close()
    for (const kernel of kernels) {
      expect(await leftOn(kernel)).toEqual({ links: ['lo', 'eth0'], namespaces: [] })
    }
    const keys = (await store.list('')).entries.map(({ key }) => key)
    // What nodes and pools are, what nodes' settings were before us, and no address of a pod, attachment or result.
    expect(keys.filter((key) => !/^(networks\/pods\/(nodes|cursors)|sysctls)\//.test(key))).toEqual([])
  })
})

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
