import { ip } from '@podfabric/netaddr'
import { describe, expect, test } from 'vitest'
import { exampleZone } from '../../test/cluster.ts'
import { handClock, memoryNetwork } from '../../test/memory-network.ts'
import { decodeMessage, encodeMessage } from '../message/codec.ts'
import { query } from '../message/message.ts'
import { dnsServer } from './server.ts'
import { frameMessages, frameReader } from './tcp-frames.ts'

const question = (id: number, name = 'web.default.svc.cluster.local') =>
  encodeMessage(query(id, { name, type: 'A', class: 'IN' }))

async function serve(replicas = 3, maxConnections = 256) {
  const network = memoryNetwork()
  const clock = handClock()
  const errors: unknown[] = []
  const server = await dnsServer({
    zones: [exampleZone(replicas)],
    sockets: network.host('10.96.0.10'),
    clock,
    random: () => 0.5,
    maxConnections,
    log: { debug() {}, error: (message, facts) => void errors.push([message, facts]) },
  })
  return { network, clock, server, errors, client: network.host('10.244.1.2') }
}

describe('dnsServer', () => {
  test('listens on port 53 and answers over UDP', async () => {
    const { server, client, errors } = await serve()
    expect(server.local).toEqual({ address: '10.96.0.10', port: 53 })
    const socket = await client.udp()
    await socket.send(Uint8Array.of(1, 2, 3), server.local)
    await socket.send(question(7), server.local)
    const { data, from } = await socket.receive()
    expect(from).toEqual(server.local)
    expect(decodeMessage(data)).toMatchObject({ id: 7, answers: [{ address: '10.96.0.7' }] })
    await server.close()
    expect(errors).toEqual([])
  })

  test('answers pipelined questions over TCP in one write, however they were cut', async () => {
    const { server, client } = await serve(200)
    const connection = await client.connect(server.local)
    const stream = frameMessages([question(1), question(2, 'db.default.svc.cluster.local'), question(3)])
    await connection.write(stream.subarray(0, 3))
    await connection.write(stream.subarray(3))
    const chunk = await connection.read()
    const answers = frameReader()
      .push(chunk ?? new Uint8Array())
      .map(decodeMessage)
    expect(answers.map(({ id, answers: records }) => [id, records.length])).toEqual([
      [1, 1],
      [2, 200],
      [3, 1],
    ])
    await connection.finish()
    expect(await connection.read()).toBeUndefined()
    await server.close()
  })

  test('lets a silent TCP connection go', async () => {
    const { server, client, clock } = await serve()
    const connection = await client.connect(server.local)
    await connection.write(frameMessages([question(1)]))
    await connection.read()
    clock.advance(10_000)
    expect(await connection.read()).toBeUndefined()
    await server.close()
  })

  test('resets connections beyond its limit', async () => {
    const { server, client } = await serve(3, 1)
    const first = await client.connect(server.local)
    const second = await client.connect(server.local)
    await expect(second.read()).rejects.toMatchObject({ code: 'ECONNRESET' })
    await first.write(frameMessages([question(1)]))
    expect(await first.read()).toBeDefined()
    await server.close()
  })

  test('closing resets connections, frees the port and may be done again', async () => {
    const { server, client, network, errors } = await serve()
    const connection = await client.connect(server.local)
    await server.close()
    await server.close()
    await expect(connection.read()).rejects.toMatchObject({ code: 'ECONNRESET' })
    const zones = [exampleZone()]
    const again = await dnsServer({
      zones,
      sockets: network.host('10.96.0.10'),
      clock: handClock(),
      random: () => 0,
    })
    await again.close()
    expect(errors).toEqual([])
  })

  test('takes no UDP port when it cannot have the TCP port', async () => {
    const network = memoryNetwork()
    const sockets = network.host('10.96.0.10')
    await sockets.listen({ port: 53 })
    const options = { zones: [exampleZone()], sockets, clock: handClock(), random: () => 0 }
    await expect(dnsServer(options)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    const socket = await sockets.udp({ address: ip('10.96.0.10'), port: 53 })
    await socket.close()
  })
})
