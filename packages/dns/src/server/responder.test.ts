import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arbitraryMessage } from '../../test/arbitrary-message.ts'
import { exampleZone } from '../../test/cluster.ts'
import { decodeMessage, encodeMessage } from '../message/codec.ts'
import { type Edns, type Message, query, rcodeName } from '../message/message.ts'
import type { QuestionType } from '../message/record-type.ts'
import { clusterZone } from '../zone/cluster-zone.ts'
import type { Zone } from '../zone/zone.ts'
import { silent } from './log.ts'
import { type Asker, responder } from './responder.ts'

const udp: Asker = { transport: 'udp' }
const tcp: Asker = { transport: 'tcp' }
const serving = (zone: Zone) => responder({ zones: [zone], random: () => 0.5, log: silent })
const core = serving(exampleZone())
const edns = (udpSize: number, version = 0): Edns => ({ udpSize, version, dnssecOk: false, options: [] })

function asked(name: string, type: QuestionType = 'A', extension?: Edns): Message {
  return query(77, { name, type, class: 'IN' }, extension)
}

function answerTo(message: Message, asker = udp, from = core): Message {
  const answer = from.answer(encodeMessage(message), asker)
  if (!answer) throw new Error('no answer')
  return decodeMessage(answer)
}

describe('an answer', () => {
  test('has the id, the question and the wish for recursion of what was asked', () => {
    const message = asked('Web.default.svc.cluster.local')
    expect(answerTo(message)).toMatchObject({
      id: 77,
      response: true,
      authoritative: true,
      recursionDesired: true,
      recursionAvailable: false,
      rcode: 0,
      questions: message.questions,
      answers: [{ name: 'Web.default.svc.cluster.local', type: 'A', address: '10.96.0.7' }],
    })
  })

  test('speaks EDNS to those who do, and to no others', () => {
    expect(answerTo(asked('web.default.svc.cluster.local')).edns).toBeUndefined()
    expect(answerTo(asked('web.default.svc.cluster.local', 'A', edns(4096))).edns).toEqual(edns(1232))
  })
})

describe('an answer that is too long for UDP', () => {
  const many = serving(exampleZone(200))
  const name = 'db.default.svc.cluster.local'
  test.each([
    ['512 octets without EDNS', undefined, 512],
    ['512 octets where EDNS asks for less', edns(100), 512],
    ['what EDNS takes', edns(900), 900],
    ['1232 octets where EDNS takes more', edns(65_535), 1232],
  ])('is cut to %s and says so', (_, extension, limit) => {
    const octets = many.answer(encodeMessage(asked(name, 'A', extension)), udp)
    if (!octets) throw new Error('no answer')
    expect(octets.length).toBeLessThanOrEqual(limit)
    expect(octets.length).toBeGreaterThan(limit - 40)
    expect(decodeMessage(octets).truncated).toBe(true)
  })

  test('is whole over TCP', () => {
    const { answers, truncated } = answerTo(asked(name), tcp, many)
    expect([answers.length, truncated]).toEqual([200, false])
  })

  test('SRV records of five pods with their addresses fit into what EDNS takes', () => {
    const { answers, additionals, truncated } = answerTo(
      asked('_sql._tcp.db.default.svc.cluster.local', 'SRV', edns(1232)),
      udp,
      serving(exampleZone(5)),
    )
    expect([answers.length, additionals.length, truncated]).toEqual([5, 5, false])
  })
})

describe('what cannot be answered', () => {
  const code = (octets: Uint8Array | undefined) => octets && rcodeName(decodeMessage(octets).rcode)
  const whole = encodeMessage(asked('web.default.svc.cluster.local'))

  test('less than a header, or an answer, is met with silence', () => {
    expect(core.answer(whole.subarray(0, 11), udp)).toBeUndefined()
    expect(core.answer(encodeMessage({ ...asked('a'), response: true }), udp)).toBeUndefined()
  })

  test('a header with nonsense behind it is FORMERR', () => {
    expect(code(core.answer(whole.subarray(0, 20), udp))).toBe('FORMERR')
    expect(code(core.answer(Uint8Array.from([...whole, 0]), udp))).toBe('FORMERR')
  })

  test('no question, or two, is FORMERR', () => {
    expect(code(core.answer(encodeMessage({ ...asked('a'), questions: [] }), udp))).toBe('FORMERR')
    const { questions } = asked('a')
    expect(
      code(core.answer(encodeMessage({ ...asked('a'), questions: [...questions, ...questions] }), udp)),
    ).toBe('FORMERR')
  })

  test('anything but a query is NOTIMP, even when the rest cannot be read', () => {
    const octets = core.answer(Uint8Array.of(0, 5, 0x29, 0, 9, 9, 9, 9, 9, 9, 9, 9), udp)
    if (!octets) throw new Error('no answer')
    expect(decodeMessage(octets)).toMatchObject({
      id: 5,
      opcode: 5,
      response: true,
      recursionDesired: true,
      rcode: 4,
    })
  })

  test('another version of EDNS is BADVERS, in an answer of version 0', () => {
    const answer = answerTo(asked('web.default.svc.cluster.local', 'A', edns(1232, 1)))
    expect([rcodeName(answer.rcode), answer.edns?.version, answer.answers]).toEqual(['BADVERS', 0, []])
  })

  test('SERVFAIL until the zone is synced, REFUSED outside of it', () => {
    expect(
      rcodeName(answerTo(asked('web.default.svc.cluster.local'), udp, serving(clusterZone())).rcode),
    ).toBe('SERVFAIL')
    const refused = answerTo(asked('example.com'))
    expect([rcodeName(refused.rcode), refused.authoritative]).toEqual(['REFUSED', false])
  })

  test('a fault of our own is logged and answered with SERVFAIL', () => {
    const errors: string[] = []
    const broken: Zone = {
      ...exampleZone(),
      synced: true,
      find() {
        throw new Error('boom')
      },
    }
    const log = { debug() {}, error: (message: string) => void errors.push(message) }
    const answer = responder({ zones: [broken], random: () => 0, log }).answer(whole, udp)
    expect(code(answer)).toBe('SERVFAIL')
    expect(errors).toHaveLength(1)
  })
})

test('whatever arrives, what goes out is an answer with its id, or nothing', () => {
  const octets = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    arbitraryMessage.map((message) => encodeMessage({ ...message, response: false, opcode: 0 })),
  )
  const failing = responder({
    zones: [exampleZone()],
    random: () => 0.5,
    log: {
      debug() {},
      error(_, facts) {
        throw facts?.error
      },
    },
  })
  fc.assert(
    fc.property(octets, (message) => {
      const answer = failing.answer(message, udp)
      if (!answer) return
      expect([...answer.subarray(0, 2)]).toEqual([...message.subarray(0, 2)])
      expect(decodeMessage(answer).response).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
