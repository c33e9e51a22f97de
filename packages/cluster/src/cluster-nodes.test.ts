import { describe, expect, it } from 'vitest'
import { callByName } from './fixtures/client.ts'
import { running } from './fixtures/lab.ts'
import { addressOf, deployment, leftOn, namesOf, nodesOf, pod, podsOf } from './fixtures/web.ts'
import { askWorkload } from './http-client.ts'

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
