import { ip, parseIpv4 } from '@podfabric/netaddr'
import { describe, expect, test } from 'vitest'
import { exampleZone } from '../../test/cluster.ts'
import { handClock, memoryNetwork } from '../../test/memory-network.ts'
import { decodeMessage, encodeMessage } from '../message/codec.ts'
import { dnsServer } from '../server/server.ts'
import { type ClusterZone, clusterZone } from '../zone/cluster-zone.ts'
import { type ResolverOptions, resolver } from './resolver.ts'

const server = ip('10.96.0.10')
const conf = {
  nameservers: [server],
  search: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  ndots: 5,
  timeout: 1000,
  attempts: 2,
}

async function clusterWith(zone: ClusterZone = exampleZone(), options: Partial<ResolverOptions> = {}) {
  const network = memoryNetwork()
  const clock = handClock()
  const dns = await dnsServer({ zones: [zone], sockets: network.host(server), clock, random: () => 0.5 })
  const stub = resolver({ conf, sockets: network.host('10.244.1.2'), clock, random: () => 0.25, ...options })
  return { network, clock, dns, stub, zone }
}

/** Lets everything that can happen happen, then the time pass, until `work` is done. */
async function withTime<T>(clock: { step(): boolean }, work: Promise<T>): Promise<T> {
  let done = false
  const settled = work.finally(() => {
    done = true
  })
  settled.catch(() => {})
  while (!done) {
    for (let turn = 0; turn < 50 && !done; turn++) await Promise.resolve()
    if (!done) clock.step()
  }
  return settled
}

describe('the search list', () => {
  test.each([
    ['web', ['web.default.svc.cluster.local']],
    ['web.default', ['web.default.default.svc.cluster.local', 'web.default.svc.cluster.local']],
    [
      'web.default.svc.cluster.local',
      [
        'web.default.svc.cluster.local.default.svc.cluster.local',
        'web.default.svc.cluster.local.svc.cluster.local',
        'web.default.svc.cluster.local.cluster.local',
        'web.default.svc.cluster.local',
      ],
    ],
    ['web.default.svc.cluster.local.', ['web.default.svc.cluster.local']],
  ])('%s is asked for as a pod does', async (name, asked) => {
    const { stub, dns } = await clusterWith()
    const found = await stub.find(name, 'A')
    expect(found.attempts.map((attempt) => attempt.name)).toEqual(asked)
    expect(found.records).toMatchObject([{ type: 'A', address: '10.96.0.7' }])
    await dns.close()
  })

  test('a name with enough dots is asked for as it stands first', async () => {
    const { stub, dns } = await clusterWith(exampleZone(), { conf: { ...conf, ndots: 2 } })
    const found = await stub.find('web.default.svc.cluster.local', 'A')
    expect(found.attempts).toHaveLength(1)
    await dns.close()
  })
})

describe('what goes wrong', () => {
  test('a name that does not exist anywhere is DNS_NO_NAME, and the message says what was asked for', async () => {
    const { stub, dns } = await clusterWith()
    await expect(stub.find('gone.default.svc.cluster.local.', 'A')).rejects.toMatchObject({
      code: 'DNS_NO_NAME',
      message: 'gone.default.svc.cluster.local. does not exist; asked for gone.default.svc.cluster.local',
    })
    await dns.close()
  })

  test('a name without such a record is DNS_NO_DATA, also when a later candidate does not exist', async () => {
    const { stub, dns } = await clusterWith()
    await expect(stub.find('web.default.svc.cluster.local.', 'TXT')).rejects.toMatchObject({
      code: 'DNS_NO_DATA',
    })
    await dns.close()
  })

  test('a zone that is not synced, or a name outside, is DNS_SERVER_FAILED', async () => {
    const { stub, dns } = await clusterWith(clusterZone())
    await expect(stub.find('web.default.svc.cluster.local.', 'A')).rejects.toMatchObject({
      code: 'DNS_SERVER_FAILED',
    })
    await expect(stub.find('example.com', 'A')).rejects.toMatchObject({ code: 'DNS_SERVER_FAILED' })
    await dns.close()
  })

  test('silence is DNS_TIMEOUT after every attempt', async () => {
    const { stub, network, clock, dns } = await clusterWith()
    network.lose = () => true
    await expect(withTime(clock, stub.find('web', 'A'))).rejects.toMatchObject({ code: 'DNS_TIMEOUT' })
    expect([network.sent.length, clock.now()]).toEqual([2, 2000])
    await dns.close()
  })

  test('a lost datagram is asked for again', async () => {
    const { stub, network, clock, dns } = await clusterWith()
    let left = 1
    network.lose = () => left-- > 0
    expect(await withTime(clock, stub.find('web', 'A'))).toMatchObject({
      name: 'web.default.svc.cluster.local',
    })
    await dns.close()
  })

  test('the next server is asked when the first is silent', async () => {
    const nameservers = [ip('192.0.2.1'), server]
    const { stub, clock, dns } = await clusterWith(exampleZone(), { conf: { ...conf, nameservers } })
    await withTime(clock, stub.find('web', 'A'))
    expect(clock.now()).toBe(1000)
    await dns.close()
  })

  test('no servers at all is DNS_CONFIG', async () => {
    const { stub, dns } = await clusterWith(exampleZone(), { conf: { ...conf, nameservers: [] } })
    await expect(stub.find('web', 'A')).rejects.toMatchObject({ code: 'DNS_CONFIG' })
    await dns.close()
  })

  test('an abandoned lookup ends with the reason it was given', async () => {
    const { stub, network, dns } = await clusterWith()
    network.lose = () => true
    const controller = new AbortController()
    const lookup = stub.find('web', 'A', { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(lookup).rejects.toThrow('enough')
    await dns.close()
  })

  test('answers with another id, to another question or from somebody else are not listened to', async () => {
    const network = memoryNetwork()
    const clock = handClock()
    const honest = await network.host(server).udp({ port: 53 })
    const forger = await network.host('192.0.2.66').udp({ port: 53 })
    const stub = resolver({
      conf: { ...conf, attempts: 1 },
      sockets: network.host('10.244.1.2'),
      clock,
      random: () => 0.25,
    })
    const lookup = stub.find('web.default.svc.cluster.local.', 'A')
    const { data, from } = await honest.receive()
    const query = decodeMessage(data)
    const answer = (address: string, changes: object) =>
      encodeMessage({
        ...query,
        response: true,
        answers: [
          {
            name: 'web.default.svc.cluster.local',
            class: 'IN',
            ttl: 5,
            type: 'A',
            address: parseIpv4(address),
          },
        ],
        ...changes,
      })
    await forger.send(answer('6.6.6.1', {}), from)
    await honest.send(answer('6.6.6.2', { id: query.id ^ 1 }), from)
    await honest.send(answer('6.6.6.3', { questions: [{ name: 'a', type: 'A', class: 'IN' }] }), from)
    await honest.send(answer('6.6.6.4', { response: false }), from)
    await honest.send(Uint8Array.of(1, 2, 3), from)
    await honest.send(answer('10.96.0.7', {}), from)
    expect((await lookup).records).toMatchObject([{ address: '10.96.0.7' }])
  })
})

describe('lookup', () => {
  test('gives the addresses of both families', async () => {
    const { stub, dns } = await clusterWith()
    expect(await stub.lookup('web')).toEqual(['10.96.0.7', 'fd00::7'])
    await dns.close()
  })

  test('is content with one family', async () => {
    const { stub, dns } = await clusterWith()
    expect((await stub.lookup('db')).toSorted()).toEqual(['10.244.0.0', '10.244.0.1', '10.244.0.2'])
    await dns.close()
  })

  test('asks again over TCP when the answer was cut', async () => {
    const { stub, dns } = await clusterWith(exampleZone(300))
    expect(await stub.lookup('db')).toHaveLength(300)
    await dns.close()
  })

  test('says that there is another name, but no address behind it', async () => {
    const { stub, dns } = await clusterWith()
    await expect(stub.lookup('out')).rejects.toMatchObject({
      code: expect.stringMatching(/DNS_NO_DATA|DNS_SERVER_FAILED/),
    })
    await dns.close()
  })

  test('finds the name of an address', async () => {
    const { stub, dns } = await clusterWith()
    expect(await stub.reverse(ip('10.96.0.7'))).toEqual(['web.default.svc.cluster.local'])
    expect(await stub.reverse(ip('fd00::7'))).toEqual(['web.default.svc.cluster.local'])
    await dns.close()
  })
})

describe('a cache', () => {
  const remove = { type: 'delete', kind: 'Service', namespace: 'default', name: 'web' } as const

  test('keeps an answer for its lifetime, and no longer', async () => {
    const { stub, zone, clock, network, dns } = await clusterWith(exampleZone(), { cache: true })
    await stub.find('web', 'A')
    zone.update(remove)
    const sent = network.sent.length
    clock.advance(4999)
    await stub.find('WEB', 'A')
    expect(network.sent.length).toBe(sent)
    clock.advance(1)
    await expect(stub.find('web.default.svc.cluster.local.', 'A')).rejects.toMatchObject({
      code: 'DNS_NO_NAME',
    })
    await dns.close()
  })

  test('keeps "no" for as long as the SOA record says', async () => {
    const { stub, clock, network, dns } = await clusterWith(exampleZone(), { cache: true })
    const gone = () => stub.find('gone.default.svc.cluster.local.', 'A')
    await expect(gone()).rejects.toMatchObject({ code: 'DNS_NO_NAME' })
    const sent = network.sent.length
    await expect(gone()).rejects.toMatchObject({ code: 'DNS_NO_NAME' })
    expect(network.sent.length).toBe(sent)
    clock.advance(5000)
    await expect(gone()).rejects.toMatchObject({ code: 'DNS_NO_NAME' })
    expect(network.sent.length).toBe(sent + 2)
    await dns.close()
  })

  test('can be emptied; without one every lookup asks', async () => {
    const { stub, network, dns } = await clusterWith(exampleZone(), { cache: true })
    await stub.find('web', 'A')
    stub.forget()
    await stub.find('web', 'A')
    expect(network.sent.length).toBe(4)
    await dns.close()
  })
})
