import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type PipeOptions, pattern, readAll, tcpPipe } from '../test/tcp-pipe.ts'

interface Transfer {
  readonly up: Uint8Array
  readonly down: Uint8Array
}

/** What both ends read, or the code of what they failed with. */
async function exchange(options: PipeOptions, { up, down }: Transfer, stopAfter = Infinity) {
  const pipe = tcpPipe(options)
  const listener = pipe.b.listen({ address: pipe.addresses.b, port: 80 })
  if (stopAfter < Infinity) {
    pipe.clock.after(stopAfter, () => {
      pipe.path.cut = true
    })
  }
  const code = (error: { readonly code: string }): string => error.code
  // A reader whose other side vanished waits for ever, as in any TCP without keep-alive.
  const patience = new AbortController()
  const signal = patience.signal
  pipe.clock.after(24 * 3_600_000, () => patience.abort({ code: 'WAITED' }))
  const serving = listener.accept({ signal }).then(async (server) => {
    const reading = readAll(server, signal).catch(code)
    await server.write(down).catch(code)
    await server.finish().catch(code)
    return reading
  })
  const calling = pipe.a.connect({ address: pipe.addresses.b, port: 80 }).then(async (client) => {
    const reading = readAll(client, signal).catch(code)
    await client.write(up).catch(code)
    await client.finish().catch(code)
    return reading
  })
  const start = pipe.clock.now()
  const [client, server] = await Promise.all([calling.catch(code), serving.catch(code)])
  const took = pipe.clock.now() - start
  return { client, server, sent: pipe.sent, took }
}

const badPath = fc.record({
  seed: fc.nat(),
  family: fc.constantFrom(4 as const, 6 as const),
  latency: fc.integer({ min: 0, max: 50 }),
  jitter: fc.integer({ min: 0, max: 100 }),
  loss: fc.double({ min: 0, max: 0.25, noNaN: true }),
  duplication: fc.double({ min: 0, max: 0.3, noNaN: true }),
  mtu: fc.constantFrom(1280, 1450, 1500, 9000),
})

describe('a path that loses, swaps, doubles and delays', () => {
  it('still delivers every stream as it was written', async () => {
    await fc.assert(
      fc.asyncProperty(badPath, fc.nat(60_000), fc.nat(60_000), async (path, upLength, downLength) => {
        const transfer = { up: pattern(upLength, 1), down: pattern(downLength, 2) }
        const { client, server } = await exchange(path, transfer)
        expect(isSame(client, transfer.down)).toBe(true)
        expect(isSame(server, transfer.up)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('that is cut under way never delivers less than the whole as if it were all', async () => {
    await fc.assert(
      fc.asyncProperty(badPath, fc.nat(2000), async (path, stopAfter) => {
        const transfer = { up: pattern(100_000, 1), down: pattern(100_000, 2) }
        const { client, server } = await exchange(path, transfer, stopAfter)
        for (const [outcome, whole] of [[client, transfer.down] as const, [server, transfer.up] as const]) {
          if (typeof outcome === 'string') expect(['ETIMEDOUT', 'ECONNRESET', 'WAITED']).toContain(outcome)
          else expect(isSame(outcome, whole)).toBe(true)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('never makes two ends ignore each other, when both repeat what the other has', async () => {
    const transfer = { up: pattern(30_000, 1), down: pattern(30_000, 2) }
    for (let seed = 0; seed < 60; seed++) {
      const path = { seed, latency: 20, jitter: 90, loss: 0.22, duplication: 0.2 }
      const { client, server } = await exchange(path, transfer)
      expect(isSame(client, transfer.down) && isSame(server, transfer.up), `seed ${seed}`).toBe(true)
    }
  })

  it('takes a mebibyte through a loss of one in five', async () => {
    const transfer = { up: pattern(1 << 20), down: new Uint8Array(0) }
    const { server, sent, took } = await exchange({ seed: 5, loss: 0.2, jitter: 5 }, transfer)
    expect(isSame(server, transfer.up)).toBe(true)
    expect(sent.length).toBeLessThan(5000)
    expect(took).toBeLessThan(30 * 60_000)
  })

  it('is the same for the same seed, octet for octet', async () => {
    const run = () =>
      exchange({ seed: 11, loss: 0.1, jitter: 20 }, { up: pattern(50_000, 1), down: pattern(9000, 2) })
    const [first, second] = [await run(), await run()]
    expect(second.sent).toEqual(first.sent)
  })

  it('repeats a single lost segment after three duplicates, without waiting for the timer', async () => {
    const pipe = tcpPipe({ latency: 20 })
    const listener = pipe.b.listen({ port: 80 })
    const client = await pipe.a.connect({ address: pipe.addresses.b, port: 80 })
    const server = await listener.accept()
    const reading = readAll(server)
    const start = pipe.clock.now()
    let lost = false
    pipe.lose = (segment) => {
      if (lost || segment.length < 1000) return false
      lost = true
      return true
    }
    await client.write(pattern(12_000))
    await client.finish()
    expect(isSame(await reading, pattern(12_000))).toBe(true)
    expect(lost).toBe(true)
    expect(pipe.clock.now() - start).toBe(60)
  })
})

describe('a path without delay', () => {
  it('brings every answer in before the call that sent the segment returns', async () => {
    const transfer = { up: pattern(500_000, 1), down: pattern(300_000, 2) }
    const { client, server } = await exchange({ latency: 0 }, transfer)
    expect(isSame(client, transfer.down)).toBe(true)
    expect(isSame(server, transfer.up)).toBe(true)
  })
})

function isSame(actual: Uint8Array | string, expected: Uint8Array): boolean {
  if (typeof actual === 'string' || actual.length !== expected.length) return false
  return actual.every((octet, i) => octet === expected[i])
}
