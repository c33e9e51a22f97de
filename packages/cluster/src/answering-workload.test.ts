import { keptLog } from '@podfabric/cni/testing'
import { simulate } from '@podfabric/kernel-sim'
import type { Pod } from '@podfabric/kube'
import { type Ip, ip, LOOPBACK_IPV4, LOOPBACK_IPV6 } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { parseAnswer } from './answer.ts'
import { answeringWorkload } from './answering-workload.ts'
import { manifest } from './fixtures/manifest.ts'
import { askWorkload, httpGet } from './http-client.ts'

const pod = (ports: string): Pod => {
  const [object] = manifest(`
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop }
spec: { nodeName: n1, containers: [{ name: main, ports: ${ports} }] }
`)
  if (object?.kind !== 'Pod') throw new Error('no pod')
  return object
}

function sandbox(ports: string, addresses = [ip('10.0.0.2'), ip('fd00::2')]) {
  const { clock, random, node } = simulate()
  const kernel = node('n1')
  const { sockets } = kernel.in(kernel.netns.host)
  const { log, logged } = keptLog()
  const made = pod(ports)
  const [container] = made.spec.containers
  if (!container) throw new Error('no container')
  const start = () => answeringWorkload({ pod: made, container, addresses, sockets, clock, random, log })
  return { sockets, start, logged }
}

const at = (port: number, address: Ip = LOOPBACK_IPV4) => ({ address, port })

describe('a simulated container', () => {
  it('answers at every TCP port and family of the pod, with what it is and whom it sees', async () => {
    const { sockets, start } = sandbox('[{ containerPort: 80 }, { containerPort: 8080 }]')
    await start()
    for (const port of [80, 8080]) {
      expect(await askWorkload(sockets, at(port))).toEqual({
        pod: 'web',
        namespace: 'shop',
        container: 'main',
        node: 'n1',
        port,
        client: { address: '127.0.0.1', port: expect.any(Number) },
      })
      expect((await askWorkload(sockets, at(port, LOOPBACK_IPV6))).client.address).toBe('::1')
    }
  })

  it('answers in no family that the pod has not', async () => {
    const { sockets, start } = sandbox('[{ containerPort: 80 }]', [ip('10.0.0.2')])
    await start()
    await expect(askWorkload(sockets, at(80, LOOPBACK_IPV6))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('answers any datagram at a UDP port', async () => {
    const { sockets, start } = sandbox('[{ containerPort: 53, protocol: UDP }]')
    await start()
    const socket = await sockets.udp({ address: LOOPBACK_IPV4 })
    for (let i = 0; i < 3; i++) {
      await socket.send(new Uint8Array(i), at(53))
      const { data } = await socket.receive()
      const { port, client } = parseAnswer(new TextDecoder().decode(data))
      expect({ port, client }).toEqual({ port: 53, client: socket.local })
    }
  })

  it('gives octets on demand', async () => {
    const { sockets, start } = sandbox('[{ containerPort: 80 }]')
    await start()
    const { body } = await httpGet(sockets, at(80), { path: '/bytes/1000' })
    expect([...body]).toEqual(Array.from({ length: 1000 }, (_, i) => i % 251))
    expect((await httpGet(sockets, at(80), { path: '/bytes/16777217' })).status).toBe(413)
    expect((await httpGet(sockets, at(80), { path: '/bytes/0' })).body).toHaveLength(0)
  })

  it('ends at once: its ports are free, connections that wait are reset', async () => {
    const { sockets, start, logged } = sandbox(
      '[{ containerPort: 80 }, { containerPort: 53, protocol: UDP }]',
    )
    const workload = await start()
    const idle = await sockets.connect(at(80))
    await askWorkload(sockets, at(80))
    await workload.stop()
    await expect(idle.read()).rejects.toMatchObject({ code: 'ECONNRESET' })
    await expect(sockets.connect(at(80))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await (await start()).stop()
    expect(logged.filter(({ level }) => level !== 'debug')).toEqual([])
  })

  it('that finds one of its ports taken takes none', async () => {
    const { sockets, start } = sandbox('[{ containerPort: 80 }, { containerPort: 81 }]')
    const taken = await sockets.listen({ port: 81 })
    await expect(start()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(sockets.connect(at(80))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await taken.close()
    await start()
  })

  it('does not fall for a client that speaks something else', async () => {
    const { sockets, start } = sandbox('[{ containerPort: 80 }]')
    await start()
    const odd = await sockets.connect(at(80))
    await odd.write(new Uint8Array(20_000).fill(65))
    // It is let go, gently or not.
    await odd.read().catch(() => undefined)
    await odd.close()
    expect((await askWorkload(sockets, at(80))).pod).toBe('web')
  })

  it('says that SCTP is not implemented', async () => {
    const { start, logged } = sandbox('[{ containerPort: 80, protocol: SCTP }]')
    await start()
    expect(logged[0]?.message).toBe('SCTP is not implemented: the port does not answer')
  })
})
