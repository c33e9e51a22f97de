import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { frameMessages, frameReader, responder } from '../src/index.ts'
import { exampleZone } from './cluster.ts'

/** Node's resolver is c-ares: somebody else's client, over real UDP and TCP on loopback. */
describe('the same answers over real sockets', () => {
  const core = responder({
    zones: [exampleZone(200)],
    random: () => 0.5,
    log: { debug() {}, error: (message, facts) => expect.fail(`${message}: ${facts?.error}`) },
  })
  const udp = createSocket('udp4')
  const tcp = createServer((socket) => {
    const frames = frameReader()
    socket.on('data', (chunk) => {
      const answers = frames
        .push(chunk)
        .flatMap((message) => core.answer(message, { transport: 'tcp' }) ?? [])
      if (answers.length > 0) socket.write(frameMessages(answers))
    })
  })
  udp.on('message', (message, { address, port }) => {
    const answer = core.answer(message, { transport: 'udp' })
    if (answer) udp.send(answer, port, address)
  })
  const client = new Resolver({ timeout: 2000, tries: 2 })

  beforeAll(async () => {
    tcp.listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const { port } = tcp.address() as AddressInfo
    udp.bind(port, '127.0.0.1')
    await once(udp, 'listening')
    client.setServers([`127.0.0.1:${port}`])
  })

  afterAll(() => {
    udp.close()
    tcp.close()
  })

  test('addresses, in both families', async () => {
    expect(await client.resolve4('web.default.svc.cluster.local', { ttl: true })).toEqual([
      { address: '10.96.0.7', ttl: 5 },
    ])
    expect(await client.resolve6('web.default.svc.cluster.local')).toEqual(['fd00::7'])
  })

  test('SRV, PTR, TXT, CNAME and SOA records', async () => {
    expect(await client.resolveSrv('_http._tcp.web.default.svc.cluster.local')).toMatchObject([
      { name: 'web.default.svc.cluster.local', port: 80, priority: 0, weight: 100 },
    ])
    expect(await client.reverse('10.96.0.7')).toEqual(['web.default.svc.cluster.local'])
    expect(await client.resolveTxt('dns-version.cluster.local')).toEqual([['1.1.0']])
    expect(await client.resolveCname('out.default.svc.cluster.local')).toEqual(['db.example.com'])
    expect(await client.resolveSoa('cluster.local')).toMatchObject({
      nsname: 'ns.dns.cluster.local',
      minttl: 5,
    })
  })

  test('a long answer comes over TCP, whole', async () => {
    expect(await client.resolve4('db.default.svc.cluster.local')).toHaveLength(200)
  })

  test('"no such name", "no such record" and "not mine"', async () => {
    await expect(client.resolve4('gone.default.svc.cluster.local')).rejects.toMatchObject({
      code: 'ENOTFOUND',
    })
    await expect(client.resolveMx('web.default.svc.cluster.local')).rejects.toMatchObject({ code: 'ENODATA' })
    await expect(client.resolve4('example.com')).rejects.toMatchObject({ code: 'EREFUSED' })
  })
})
