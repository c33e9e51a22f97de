import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { httpRequest, httpResponse, maxHead, readHead } from './http-message.ts'
import { joined } from './octets.ts'

const encode = (text: string) => new TextEncoder().encode(text)

/** The octets in pieces, cut where the numbers say. */
async function* pieces(octets: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [...new Set(cuts.map((cut) => cut % (octets.length + 1)))].sort((a, b) => a - b)
  let from = 0
  for (const to of [...places, octets.length]) {
    if (to > from) yield octets.slice(from, to)
    from = Math.max(from, to)
  }
}

async function readAll(octets: Uint8Array, cuts: readonly number[]) {
  const chunks = pieces(octets, cuts)
  const head = await readHead(chunks)
  if (!head) return undefined
  const rest = [head.rest]
  for await (const piece of chunks) rest.push(piece)
  return { start: head.start, headers: head.headers, body: joined(rest) }
}

describe('a head', () => {
  const token = fc.stringMatching(/^[a-zA-Z][a-zA-Z-]{0,10}$/)
  const value = fc
    .string({ unit: 'grapheme', maxLength: 20 })
    .map((text) => text.replaceAll(/[\r\n]/g, ' ').trim())
  const cuts = fc.array(fc.nat(), { maxLength: 10 })

  it('is read the same wherever the stream is cut, and what follows it is not touched', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(token, value),
        fc.uint8Array({ maxLength: 40 }),
        cuts,
        async (headers, body, places) => {
          const lines = Object.entries(headers).map(([name, text]) => `${name}: ${text}\r\n`)
          const octets = joined([encode(`GET /é HTTP/1.1\r\n${lines.join('')}\r\n`), body])
          const read = await readAll(octets, places)
          expect(read?.start).toBe('GET /é HTTP/1.1')
          const lower = Object.entries(headers).map(([name, text]): [string, string] => [
            name.toLowerCase(),
            text,
          ])
          expect(read?.headers).toEqual(new Map(lower))
          expect([...(read?.body ?? [])]).toEqual([...body])
        },
      ),
    )
  })

  it('of octets that are not UTF-8 does not shift what follows it', async () => {
    const octets = joined([
      encode('GET / HTTP/1.1\r\nx: '),
      Uint8Array.of(0xff, 0xc3),
      encode('\r\n\r\nbody'),
    ])
    for (let at = 0; at < octets.length; at++) {
      const read = await readAll(octets, [at])
      expect(new TextDecoder().decode(read?.body)).toBe('body')
    }
  })

  it('of any octets is read, missing, or refused by its code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), cuts, async (octets, places) => {
        const outcome = await readAll(octets, places).catch((error: unknown) => error)
        if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'CLUSTER_BAD_ANSWER' })
      }),
    )
  })

  it('that ends too soon is none', async () => {
    expect(await readAll(encode('GET / HTTP/1.1\r\nhost: x\r\n'), [3])).toBeUndefined()
    expect(await readAll(new Uint8Array(0), [])).toBeUndefined()
  })

  it('that is too long is refused, however it comes', async () => {
    const line = (length: number) => encode(`GET /${'x'.repeat(length)}`)
    await expect(readAll(line(maxHead + 100), [1000])).rejects.toThrow(`more than ${maxHead} octets`)
    const whole = joined([line(maxHead + 100), encode('\r\n\r\n')])
    await expect(readAll(whole, [])).rejects.toThrow(`more than ${maxHead} octets`)
    const most = joined([line(maxHead - 5), encode('\r\n\r\n')])
    expect((await readAll(most, [7, maxHead]))?.start).toHaveLength(maxHead)
  })

  it('with a line that is no header is refused', async () => {
    await expect(readAll(encode('GET / HTTP/1.1\r\nnonsense\r\n\r\n'), [])).rejects.toThrow(
      'no HTTP header: "nonsense"',
    )
  })
})

describe('messages', () => {
  it('are read back as they were written', async () => {
    const response = await readAll(httpResponse('404 Not Found', 'text/plain', encode('gone')), [5, 40])
    expect(response?.start).toBe('HTTP/1.1 404 Not Found')
    expect(Object.fromEntries(response?.headers ?? [])).toEqual({
      'content-type': 'text/plain',
      'content-length': '4',
      connection: 'close',
    })
    const request = await readAll(httpRequest('/a', '[fd00::1]:80'), [])
    expect(request?.start).toBe('GET /a HTTP/1.1')
    expect(request?.headers.get('host')).toBe('[fd00::1]:80')
  })
})
