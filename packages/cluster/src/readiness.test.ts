import { keptLog } from '@podfabric/cni/testing'
import type { TcpListener } from '@podfabric/kernel'
import { simulate } from '@podfabric/kernel-sim'
import type { Pod } from '@podfabric/kube'
import { LOOPBACK_IPV4 } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { manifest } from './fixtures/manifest.ts'
import { thresholds, watchReadiness } from './readiness.ts'

const pod = (containers: string): Pod => {
  const [object] = manifest(`
apiVersion: v1
kind: Pod
metadata: { name: web }
spec: { containers: ${containers} }
`)
  if (object?.kind !== 'Pod') throw new Error('no pod')
  return object
}

/** A node on whose localhost the pod is; servers come and go by the test. */
function watched(containers: string) {
  const network = simulate()
  const { clock } = network
  const kernel = network.node('n1')
  const { sockets } = kernel.in(kernel.netns.host)
  const { log, logged } = keptLog()
  const ending = new AbortController()
  onTestFinished(() => ending.abort())
  const told: string[] = []
  const start = clock.now()
  const seconds = () => Math.round((clock.now() - start) / 1000)
  watchReadiness(
    pod(containers),
    { addresses: [LOOPBACK_IPV4] },
    {
      kernel,
      clock,
      log,
      signal: ending.signal,
      onChange: (ready, why) => told.push(`${seconds()} s: ${ready ? 'ready' : (why ?? '?')}`),
    },
  )
  const listeners = new Map<number, TcpListener>()
  return {
    told,
    logged,
    ending,
    pass: (s: number) => clock.advance(s * 1000),
    async open(port: number, answer?: string) {
      const listener = await sockets.listen({ port })
      listeners.set(port, listener)
      const serve = async () => {
        for await (const connection of listener) {
          if (answer === undefined) await connection.close()
          else if (answer !== '') {
            await connection.read()
            await connection.write(
              new TextEncoder().encode(`HTTP/1.1 ${answer}\r\ncontent-length: 0\r\n\r\n`),
            )
            await connection.close()
          }
        }
      }
      serve().catch(() => undefined)
    },
    close: (port: number) => listeners.get(port)?.close(),
  }
}

const tcp = (more = '') => `[{ name: a, readinessProbe: { tcpSocket: { port: 81 }${more} } }]`
const refused = 'tcp connect 127.0.0.1:81: no connection came about (ECONNREFUSED)'

describe('a pod', () => {
  it('without probes is ready at once', () => {
    expect(watched('[{ name: a }, { name: b }]').told).toEqual(['0 s: ready'])
  })

  it('is ready with its first success, and unready after the third failure in a row', async () => {
    const made = watched(tcp())
    expect(made.told).toEqual(['0 s: container a has not been probed yet'])
    await made.pass(5)
    await made.open(81)
    await made.pass(6)
    await made.close(81)
    await made.pass(100)
    expect(made.told.slice(1)).toEqual([
      `0 s: container a: readiness probe: ${refused}`,
      '10 s: ready',
      `40 s: container a: readiness probe: ${refused}`,
    ])
  })

  it('is probed after its delay, as often and as strictly as its probe says', async () => {
    const made = watched(
      tcp(', initialDelaySeconds: 7, periodSeconds: 2, successThreshold: 3, failureThreshold: 1'),
    )
    await made.open(81)
    await made.pass(20)
    await made.close(81)
    await made.pass(20)
    expect(made.told.slice(1)).toEqual(['11 s: ready', `21 s: container a: readiness probe: ${refused}`])
  })

  it('is ready while all its containers are', async () => {
    const made = watched(`[
      { name: a, readinessProbe: { tcpSocket: { port: 81 }, periodSeconds: 1, failureThreshold: 1 } },
      { name: b, readinessProbe: { tcpSocket: { port: 82 }, periodSeconds: 1, failureThreshold: 1 } },
      { name: c },
    ]`)
    await made.open(81)
    await made.pass(3)
    await made.open(82)
    await made.pass(3)
    await made.close(81)
    await made.pass(3)
    const states = made.told.map((one) => one.replace(/^\d+ s: (ready|container .).*/, '$1'))
    expect(states).toEqual(
      ['container a', 'container a', 'container b', 'ready', 'container a'].slice(-states.length),
    )
    expect(states.slice(-2)).toEqual(['ready', 'container a'])
  })

  it('with httpGet is ready with a status from 200 to 399', async () => {
    const probe =
      '[{ name: a, ports: [{ name: web, containerPort: 81 }], readinessProbe: { httpGet: { port: web, path: /ok }, periodSeconds: 1 } }]'
    for (const [answer, last] of [
      ['200 OK', 'ready'],
      ['302 Found', 'ready'],
      ['404 Not Found', 'container a: readiness probe: /ok answered with status 404'],
      ['', 'container a: readiness probe: no answer within 1 s'],
    ] as const) {
      const made = watched(probe)
      await made.open(81, answer)
      await made.pass(5)
      expect(made.told.at(-1)?.replace(/^\d+ s: /, '')).toBe(last)
    }
  })

  it('whose probe names a port that is not there says so', async () => {
    const made = watched('[{ name: a, readinessProbe: { tcpSocket: { port: web } } }]')
    await made.pass(1)
    expect(made.told.at(-1)).toBe('0 s: container a: readiness probe: container a has no port named web')
  })

  it('with a startup probe is asked nothing else before that passes', async () => {
    const made = watched(
      '[{ name: a, startupProbe: { tcpSocket: { port: 81 }, periodSeconds: 1 }, readinessProbe: { tcpSocket: { port: 82 }, periodSeconds: 1 } }]',
    )
    await made.open(82)
    await made.pass(5)
    expect(made.told.at(-1)).toBe(`0 s: container a: startup probe: ${refused}`)
    await made.open(81)
    await made.pass(3)
    expect(made.told.at(-1)).toMatch(/ready$/)
    await made.close(81)
    await made.pass(60)
    expect(made.told.at(-1)).toMatch(/ready$/)
  })

  it('is probed no more, and nothing is told, once the watch has ended', async () => {
    const made = watched(tcp(', periodSeconds: 1'))
    await made.pass(3)
    const before = made.told.length
    made.ending.abort()
    await made.open(81)
    await made.pass(10)
    expect(made.told).toHaveLength(before)
    expect(made.logged).toEqual([])
  })

  it('with an exec or gRPC probe is ready while it runs, for nobody can run those', async () => {
    const made = watched(
      '[{ name: a, readinessProbe: { exec: { command: [x] } } }, { name: b, readinessProbe: { grpc: { port: 1 } } }]',
    )
    await made.pass(1)
    expect(made.told.at(-1)).toBe('0 s: ready')
  })

  it('with HTTPS is ready with a connection', async () => {
    const made = watched('[{ name: a, readinessProbe: { httpGet: { port: 81, scheme: HTTPS } } }]')
    await made.open(81)
    await made.pass(11)
    expect(made.told.at(-1)).toBe('10 s: ready')
  })
})

describe('thresholds', () => {
  it('hold for any row of outcomes: the standing changes after so many in a row, and only then', () => {
    const few = fc.integer({ min: 1, max: 4 })
    fc.assert(
      fc.property(
        few,
        few,
        fc.array(fc.boolean(), { maxLength: 40 }),
        (successThreshold, failureThreshold, outcomes) => {
          const counted = thresholds({ successThreshold, failureThreshold })
          let ready = false
          for (const [i, success] of outcomes.entries()) {
            const needed = success ? successThreshold : failureThreshold
            const row = outcomes.slice(Math.max(0, i + 1 - needed), i + 1)
            const changes = success !== ready && row.length === needed && row.every((one) => one === success)
            expect(counted(success)).toBe(changes || (!success && !ready))
            if (changes) ready = success
          }
        },
      ),
    )
  })
})
