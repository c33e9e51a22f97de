import { ip } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAnswer, parseAnswer } from './answer.ts'
import { scripted } from './fixtures/scripted-connection.ts'
import { askWorkload, httpGet } from './http-client.ts'
import { httpResponse } from './http-message.ts'

const to = { address: ip('10.0.0.2'), port: 80 }
const text = (octets: Uint8Array) => new TextDecoder().decode(octets)
const encode = (written: string) => new TextEncoder().encode(written)

describe('a GET', () => {
  it('asks for its path at its host and closes', async () => {
    const { sockets, seen } = scripted([httpResponse('200 OK', 'text/plain', encode('hello'))])
    const { status, body } = await httpGet(sockets, to, { path: '/x' })
    expect([status, text(body)]).toEqual([200, 'hello'])
    expect(seen).toMatchObject({
      written: 'GET /x HTTP/1.1\r\nhost: 10.0.0.2:80\r\nconnection: close\r\n\r\n',
      closed: 1,
      resets: 0,
    })
    const six = scripted([httpResponse('204 No Content', 'text/plain', encode(''))])
    await httpGet(six.sockets, { address: ip('fd00::2'), port: 8080 })
    expect(six.seen.written).toContain('host: [fd00::2]:8080\r\n')
  })

  it('reads a body wherever it is cut, and no more of it than was announced', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.nat(), fc.string(), async (body, cut, more) => {
        const octets = httpResponse('200 OK', 'x/y', body)
        const at = cut % octets.length
        const { sockets } = scripted(
          [octets.slice(0, at), octets.slice(at), more].filter((one) => one.length > 0),
        )
        expect([...(await httpGet(sockets, to)).body]).toEqual([...body])
      }),
    )
  })

  it('reads to the end where no length is announced', async () => {
    const { sockets } = scripted(['HTTP/1.0 200 OK\r\n\r\nall ', 'of ', 'it'])
    expect(text((await httpGet(sockets, to)).body)).toBe('all of it')
  })

  it.each([
    ['something else than HTTP', ['220 smtp.example.com\r\n\r\n'], '10.0.0.2:80 does not speak HTTP'],
    ['nothing', [], '10.0.0.2:80 does not speak HTTP'],
    ['too little', ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'], '10.0.0.2:80 sent 3 of 9 octets'],
    [
      'a strange length',
      ['HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nabc'],
      '10.0.0.2:80 announced "-1" octets',
    ],
  ])('answered by %s is CLUSTER_BAD_ANSWER', async (_what, pieces, message) => {
    const { sockets, seen } = scripted(pieces)
    await expect(httpGet(sockets, to)).rejects.toMatchObject({ code: 'CLUSTER_BAD_ANSWER', message })
    expect(seen.closed).toBe(1)
  })

  it('that is given up resets its connection and rejects with the reason', async () => {
    const { sockets, seen } = scripted(['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n'], { stays: true })
    const giveUp = new AbortController()
    const waiting = httpGet(sockets, to, { signal: giveUp.signal })
    await Promise.resolve()
    giveUp.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(seen).toMatchObject({ resets: 1, closed: 1 })
  })
})

describe('an answer', () => {
  const answer = {
    pod: 'web',
    namespace: 'default',
    container: 'main',
    node: 'n1',
    port: 80,
    client: { address: ip('10.0.0.1'), port: 40_000 },
  }

  it('is what a simulated container says', async () => {
    const { sockets } = scripted([httpResponse('200 OK', 'application/json', formatAnswer(answer))])
    expect(await askWorkload(sockets, to)).toEqual(answer)
  })

  it('of a status that is not 200 is none', async () => {
    const { sockets } = scripted([httpResponse('503 Service Unavailable', 'text/plain', encode(''))])
    await expect(askWorkload(sockets, to)).rejects.toThrow('10.0.0.2:80 answered with status 503')
  })

  it('is never read from anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (other) => {
        expect(() => parseAnswer(other)).toThrow('no answer of a simulated container')
      }),
    )
    const wrong = { ...answer, client: { ...answer.client, address: 'somewhere' } }
    expect(() => parseAnswer(JSON.stringify(wrong))).toThrow('no answer')
  })
})
