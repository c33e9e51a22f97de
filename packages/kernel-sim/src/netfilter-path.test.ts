import type { Namespace, NftChain, NftCommand, NftExpression } from '@podfabric/kernel'
import { ip } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { Bed, bridged, joined, must, read, routed, text } from '../test/bed.ts'

type Base = NonNullable<NftChain['base']>

/** A base chain with one rule, in a table of its own. */
function rule(at: Namespace, base: Base, ...expressions: readonly NftExpression[]): Promise<void> {
  const table = `${base.type}-${base.hook}`
  const commands: NftCommand[] = [
    { verb: 'add', object: { kind: 'table', family: 'inet', name: table } },
    { verb: 'add', object: { kind: 'chain', family: 'inet', table, name: 'chain', base } },
    { verb: 'add', object: { kind: 'rule', family: 'inet', table, chain: 'chain', expressions } },
  ]
  return at.nft.apply(commands)
}

const filter = (hook: Base['hook']): Base => ({ type: 'filter', hook, priority: 0 })
const nat = (hook: Base['hook']): Base => ({
  type: 'nat',
  hook,
  priority: hook === 'prerouting' || hook === 'output' ? -100 : 100,
})

describe('rules on the way of packets', () => {
  it.each(['prerouting', 'input', 'forward', 'output', 'postrouting'] as const)(
    'drop at %s, and the hop names the hook',
    async (hook) => {
      const bed = new Bed()
      const { router, a } = await routed(bed)
      const own = hook === 'input' || hook === 'output'
      const destination = ip(own ? '10.1.0.254' : '10.2.0.1')
      await rule(router.host, filter(hook), { match: 'meta l4proto', value: 1 }, { verdict: 'drop' })
      expect((await a.at.sockets.echo({ destination, timeout: 100 })).kind).toBe('timeout')
      const end = bed.hops.find(({ reason }) => reason === 'NFT_DROP')
      expect(end).toMatchObject({ netns: '', because: { hook } })
    },
  )

  it('reject with an ICMP error, or with a reset', async () => {
    const bed = new Bed()
    const { router, a } = await routed(bed)
    await rule(router.host, filter('forward'), { match: 'tcp dport', value: 80 }, { reject: 'tcp reset' })
    const before = bed.clock.now()
    const to = { address: ip('10.2.0.1'), port: 80 }
    await expect(a.at.sockets.connect(to)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(bed.clock.now()).toBe(before)
    await rule(router.host, filter('prerouting'), { match: 'meta l4proto', value: 1 }, { reject: 'icmp' })
    const outcome = await a.at.sockets.echo({ destination: ip('10.2.0.1') })
    expect(outcome).toEqual({ kind: 'unreachable', from: '10.1.0.254', code: 3 })
  })

  it('translate what is sent from here to another destination, and route it anew', async () => {
    const bed = new Bed()
    const { a, b } = await joined(bed)
    await rule(
      a.at,
      nat('output'),
      { match: 'udp dport', value: 53 },
      { dnat: { address: '10.1.0.2', port: 5353 } },
    )
    await must(a.at, {
      op: 'route.add',
      route: { destination: '10.96.0.0/16' as never, gateway: ip('10.1.0.2') },
    })
    const server = await b.at.sockets.udp({ port: 5353 })
    const client = await a.at.sockets.udp()
    await client.send(text('question'), { address: ip('10.96.0.10'), port: 53 })
    const question = await server.receive()
    expect(read(question.data)).toBe('question')
    await server.send(text('answer'), question.from)
    const answer = await client.receive()
    expect(answer.from).toEqual({ address: '10.96.0.10', port: 53 })
    expect(bed.hops.map(({ reason }) => reason)).toContain('DNAT')
    expect(bed.hops.map(({ reason }) => reason)).toContain('NAT_REPLY')
  })

  it('carry TCP through masquerading and a smaller MTU', async () => {
    const bed = new Bed()
    const { router, a, b } = await routed(bed, { mtu: 1300 })
    await rule(router.host, nat('postrouting'), { match: 'oifname', value: 'to-b' }, { masquerade: {} })
    const listener = await b.at.sockets.listen({ port: 80 })
    const client = await a.at.sockets.connect({ address: ip('10.2.0.1'), port: 80 })
    const server = await listener.accept()
    expect(server.remote.address).toBe('10.2.0.254')
    const writing = client.write(text('x'.repeat(50_000))).then(() => client.finish())
    let got = 0
    for await (const chunk of server) got += chunk.length
    await writing
    expect(got).toBe(50_000)
  })

  it('bring ICMP errors about translated packets back to who sent them', async () => {
    const { router, a } = await routed(new Bed(), { mtu: 1300 })
    await rule(router.host, nat('postrouting'), { match: 'oifname', value: 'to-b' }, { masquerade: {} })
    const echo = { destination: ip('10.2.0.1'), payload: new Uint8Array(1400), dontFragment: true }
    expect(await a.at.sockets.echo(echo)).toEqual({ kind: 'too-big', from: '10.1.0.254', mtu: 1300 })
  })

  it('put fragments together before connections are followed', async () => {
    const bed = new Bed()
    const { router, a, b } = await routed(bed)
    await rule(router.host, nat('postrouting'), { match: 'oifname', value: 'to-b' }, { masquerade: {} })
    const server = await b.at.sockets.udp({ port: 9 })
    const client = await a.at.sockets.udp()
    const data = Uint8Array.from({ length: 4000 }, (_, i) => i)
    await client.send(data, { address: ip('10.2.0.1'), port: 9 })
    const got = await server.receive()
    expect(got.data).toEqual(data)
    expect(got.from.address).toBe('10.2.0.254')
  })

  it('see bridged packets while bridge-nf-call-iptables is 1', async () => {
    const bed = new Bed()
    const { node, pods } = await bridged(bed, 2)
    const [one] = pods
    const reach = async () =>
      (await one?.at.sockets.echo({ destination: ip('10.1.0.2'), timeout: 100 }))?.kind
    expect(await reach()).toBe('reply')
    await rule(node.host, filter('forward'), { match: 'iifname', value: 'br0' }, { verdict: 'drop' })
    expect(await reach()).toBe('timeout')
    await node.host.sysctl.set('net.bridge.bridge-nf-call-iptables', '0')
    expect(await reach()).toBe('reply')
  })

  it('turn a bridged packet into a routed one where they translate its destination', async () => {
    const bed = new Bed()
    const { node, pods } = await bridged(bed, 3)
    const [one, , three] = pods
    await must(node.host, { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value: '1' })
    await rule(
      node.host,
      nat('prerouting'),
      { match: 'ip daddr', value: '10.1.0.2' },
      { dnat: { address: '10.1.0.3' } },
    )
    const server = await three?.at.sockets.udp({ port: 9 })
    const client = await one?.at.sockets.udp()
    await client?.send(text('hello'), { address: ip('10.1.0.2'), port: 9 })
    const got = await server?.receive()
    expect(read(got?.data)).toBe('hello')
    await server?.send(text('back'), got?.from ?? { address: ip('0.0.0.0'), port: 0 })
    expect((await client?.receive())?.from.address).toBe('10.1.0.2')
  })

  it('keep marks across links of a namespace, for policy routing', async () => {
    const bed = new Bed()
    const { router, a } = await routed(bed)
    await rule(router.host, filter('prerouting'), { match: 'iifname', value: 'to-a' }, { setMark: 7 })
    await must(
      router.host,
      { op: 'route.add', route: { destination: '0.0.0.0/0' as never, type: 'prohibit', table: 77 } },
      {
        op: 'rule.add',
        rule: { family: 4, priority: 50, mark: { value: 7, mask: 0xff }, action: { lookup: 77 } },
      },
    )
    expect(await a.at.sockets.echo({ destination: ip('10.2.0.1'), timeout: 100 })).toMatchObject({ code: 13 })
  })
})
