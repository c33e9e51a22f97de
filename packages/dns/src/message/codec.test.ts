import { ipFromBytes } from '@podfabric/netaddr'
import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arbitraryMessage } from '../../test/arbitrary-message.ts'
import { DnsError } from '../dns-error.ts'
import { decodeMessage, encodeMessage } from './codec.ts'
import { type Message, query } from './message.ts'
import type { ResourceRecord } from './record.ts'

const bytes = (hex: string) =>
  Uint8Array.from(hex.replaceAll(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof DnsError) return error.code
    throw error
  }
  return 'nothing was thrown'
}

/** Written by hand from RFC 1035, sections 4.1.1 to 4.1.3, and RFC 6891, section 6.1.2. */
const golden = {
  query: bytes(`
    1234 0100 0001 0000 0000 0001
    03 776562 07 64656661756c74 03 737663 00  0001 0001
    00 0029 04d0 00 00 0000 0000`),
  answer: bytes(`
    1234 8500 0001 0002 0000 0000
    03 776562 03 737663 00  0001 0001
    c00c 0001 0001 00000005 0004 0a600007
    c00c 001c 0001 00000005 0010 fd000000000000000000000000000007`),
  srv: bytes(`
    0001 8400 0001 0001 0000 0001
    05 5f68747470 04 5f746370 03 776562 00  0021 0001
    c00c 0021 0001 00000005 000d 0000 0064 0050  01 61 03 776562 00
    c032 0001 0001 00000005 0004 0af40102`),
  negative: bytes(`
    00ff 8403 0001 0000 0001 0000
    01 78 05 6c6f63616c 00  0001 0001
    c00e 0006 0001 00000005 0024
      02 6e73 c00e  0a 686f73746d6173746572 c00e
      00000001 00001c20 00000708`),
}

const base = query(0, { name: '.', type: 'A', class: 'IN' })

describe('bytes written by hand', () => {
  const asked: Message = {
    ...query(0x1234, { name: 'web.default.svc', type: 'A', class: 'IN' }),
    edns: { udpSize: 1232, version: 0, dnssecOk: false, options: [] },
  }
  const ip = (...octets: number[]) => ipFromBytes(Uint8Array.from(octets))
  const answered: Message = {
    ...query(0x1234, { name: 'web.svc', type: 'A', class: 'IN' }),
    response: true,
    authoritative: true,
    answers: [
      { name: 'web.svc', class: 'IN', ttl: 5, type: 'A', address: ip(10, 96, 0, 7) },
      { name: 'web.svc', class: 'IN', ttl: 5, type: 'AAAA', address: ip(0xfd, ...Array(14).fill(0), 7) },
    ] as ResourceRecord[],
  }
  const located: Message = {
    ...query(1, { name: '_http._tcp.web', type: 'SRV', class: 'IN' }),
    recursionDesired: false,
    response: true,
    authoritative: true,
    answers: [
      {
        name: '_http._tcp.web',
        class: 'IN',
        ttl: 5,
        type: 'SRV',
        priority: 0,
        weight: 100,
        port: 80,
        target: 'a.web',
      },
    ],
    additionals: [
      { name: 'a.web', class: 'IN', ttl: 5, type: 'A', address: ip(10, 244, 1, 2) } as ResourceRecord,
    ],
  }
  test.each([
    ['a question with EDNS', golden.query, asked],
    ['addresses of both families', golden.answer, answered],
    ['an SRV record whose target is written out, and pointed at from behind', golden.srv, located],
  ])('%s', (_, octets, message) => {
    expect(decodeMessage(octets)).toEqual(message)
    expect(encodeMessage(message)).toEqual(octets)
  })

  test('an SOA record that is shorter than it says is malformed, and whole it is read', () => {
    expect(codeOf(() => decodeMessage(golden.negative))).toBe('DNS_TRUNCATED')
    const whole = new Uint8Array([...golden.negative, ...bytes('00015180 00000005')])
    const soaLength = whole.length - (12 + 13 + 12)
    whole[12 + 13 + 11] = soaLength
    const message = decodeMessage(whole)
    expect(message).toMatchObject({
      rcode: 3,
      authorities: [{ type: 'SOA', primary: 'ns.local', minimum: 5 }],
    })
    expect(encodeMessage(message)).toEqual(whole)
  })
})

describe('what is refused', () => {
  const header = '0000 0000'
  test.each([
    ['less than a header', '0000', 'DNS_TRUNCATED'],
    [
      'more records announced than octets left',
      `${header} 0001 ffff 0000 0000 00 0001 0001`,
      'DNS_TRUNCATED',
    ],
    ['octets behind the end', `${header} 0001 0000 0000 0000 00 0001 0001 00`, 'DNS_MALFORMED'],
    [
      'an address of five octets',
      `${header} 0000 0001 0000 0000 00 0001 0001 00000000 0005 0a00000100`,
      'DNS_MALFORMED',
    ],
    [
      'an address of three octets',
      `${header} 0000 0001 0000 0000 00 0001 0001 00000000 0003 0a0000`,
      'DNS_TRUNCATED',
    ],
    ['an empty TXT record', `${header} 0000 0001 0000 0000 00 0010 0001 00000000 0000`, 'DNS_TRUNCATED'],
    [
      'a name that leaves its record',
      `${header} 0000 0001 0000 0000 00 0005 0001 00000000 0002 0161 00`,
      'DNS_TRUNCATED',
    ],
    [
      'an OPT record among the answers',
      `${header} 0000 0001 0000 0000 00 0029 04d0 00000000 0000`,
      'DNS_MALFORMED',
    ],
    [
      'two OPT records',
      `${header} 0000 0000 0000 0002 00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000`,
      'DNS_MALFORMED',
    ],
    [
      'an option that leaves its record',
      `${header} 0000 0000 0000 0002 00 0029 04d0 00000000 0004 0001 0001 00 0001 0001 00000000 0000`,
      'DNS_MALFORMED',
    ],
  ])('%s', (_, hex, code) => {
    expect(codeOf(() => decodeMessage(bytes(hex)))).toBe(code)
  })

  test('every beginning of a message is truncated', () => {
    for (const message of [golden.query, golden.answer, golden.srv]) {
      for (let length = 0; length < message.length; length++) {
        expect(codeOf(() => decodeMessage(message.subarray(0, length)))).toBe('DNS_TRUNCATED')
      }
    }
  })

  test('a number out of range is the caller’s mistake', () => {
    const record = { name: 'a', class: 'IN', ttl: -1, type: 'PTR', target: 'b' } as const
    expect(() => encodeMessage({ ...base, answers: [record] })).toThrow(RangeError)
  })
})

describe('what is kept', () => {
  test('a lifetime with the top bit set reads as none', () => {
    const octets = bytes('0000 0000 0000 0001 0000 0000 00 0001 0001 80000005 0004 0a000001')
    expect(decodeMessage(octets).answers[0]?.ttl).toBe(0)
  })

  test('types without a layout here survive as they are, and so does an A record of another class', () => {
    const octets = bytes(
      '0000 0000 0000 0002 0000 0000 00 0041 0001 00000005 0003 010203 00 0001 0003 00000005 0003 010203',
    )
    const message = decodeMessage(octets)
    expect(message.answers.map(({ type }) => type)).toEqual(['TYPE65', 'TYPE1'])
    expect(encodeMessage(message)).toEqual(octets)
  })

  test('the result shares nothing with the octets that it was read from', () => {
    const octets = bytes('0000 0000 0000 0001 0000 0000 00 0010 0001 00000005 0003 02 6869')
    const message = decodeMessage(octets)
    octets.fill(0)
    expect(message.answers[0]).toMatchObject({ strings: [bytes('6869')] })
  })
})

describe('truncation', () => {
  const record = (host: number): ResourceRecord =>
    ({
      name: 'web.svc',
      class: 'IN',
      ttl: 5,
      type: 'A',
      address: ipFromBytes(Uint8Array.of(10, 0, 0, host)),
    }) as ResourceRecord
  const message: Message = {
    ...base,
    questions: [{ name: 'web.svc', type: 'A', class: 'IN' }],
    answers: [1, 2, 3].map(record),
    additionals: [4, 5].map(record),
    edns: { udpSize: 512, version: 0, dnssecOk: false, options: [] },
  }
  const whole = encodeMessage(message)

  test('leaves additional records out in silence', () => {
    const cut = decodeMessage(encodeMessage(message, { limit: whole.length - 1 }))
    expect([cut.answers.length, cut.additionals.length, cut.truncated]).toEqual([3, 1, false])
  })

  test('says so when an answer is missing, and keeps the EDNS record', () => {
    const cut = decodeMessage(encodeMessage(message, { limit: whole.length - 33 }))
    expect([cut.answers.length, cut.additionals.length, cut.truncated]).toEqual([2, 0, true])
    expect(cut.edns).toEqual(message.edns)
  })

  test('never writes more than the limit, whatever the limit', () => {
    for (let limit = 40; limit <= whole.length; limit++) {
      const octets = encodeMessage(message, { limit })
      expect(octets.length).toBeLessThanOrEqual(limit)
      decodeMessage(octets)
    }
    expect(codeOf(() => encodeMessage(message, { limit: 30 }))).toBe('DNS_TOO_LONG')
  })

  test('keeps a beginning of each section, in a message that can be read', () => {
    fc.assert(
      fc.property(arbitraryMessage, fc.integer({ min: 300, max: 900 }), (whole, limit) => {
        const octets = encodeMessage({ ...whole, questions: [] }, { limit })
        expect(octets.length).toBeLessThanOrEqual(limit)
        const cut = decodeMessage(octets)
        for (const section of ['answers', 'authorities', 'additionals'] as const) {
          expect(cut[section]).toEqual(whole[section].slice(0, cut[section].length))
        }
        const missing =
          cut.answers.length + cut.authorities.length < whole.answers.length + whole.authorities.length
        expect(cut.truncated).toBe(whole.truncated || missing)
      }),
      { numRuns: 500 },
    )
  })
})

describe('properties', () => {
  test('what is written is read back', () => {
    fc.assert(
      fc.property(arbitraryMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message)
      }),
      { numRuns: 500 },
    )
  })

  test('octets that can be read are written and read to the same message', () => {
    fc.assert(
      fc.property(
        arbitraryMessage,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        (message, changes) => {
          const octets = encodeMessage(message)
          for (const [at, value] of changes) octets[at % octets.length] = value
          let read: Message
          try {
            read = decodeMessage(octets)
          } catch (error) {
            expect(error).toBeInstanceOf(DnsError)
            return
          }
          expect(decodeMessage(encodeMessage(read))).toEqual(read)
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('random octets throw nothing but DnsError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (octets) => {
        for (let at = 4; at < Math.min(12, octets.length); at += 2) octets[at] = 0
        try {
          decodeMessage(octets)
        } catch (error) {
          expect(error).toBeInstanceOf(DnsError)
        }
      }),
      { numRuns: 5000 },
    )
  })
})

describe('beside dns-packet', () => {
  const classic = fc.record({
    name: fc.constantFrom('a.b', 'web.default.svc.cluster.local', 'B.c'),
    ttl: fc.nat(0x7fff_ffff),
  })
  const target = fc.constantFrom('x.y.z', 'web.default.svc.cluster.local', 'b')
  const octet = fc.nat(255)
  const data = fc.oneof(
    fc.tuple(octet, octet, octet, octet).map((ip) => ({ type: 'A', data: ip.join('.') }) as const),
    target.map((name) => ({ type: 'CNAME', data: name }) as const),
    target.map((name) => ({ type: 'PTR', data: name }) as const),
    target.map((name) => ({ type: 'NS', data: name }) as const),
    fc
      .record({ priority: fc.nat(65535), weight: fc.nat(65535), port: fc.nat(65535), target })
      .map((srv) => ({ type: 'SRV', data: srv }) as const),
    fc
      .array(fc.uint8Array({ maxLength: 9 }), { minLength: 1, maxLength: 3 })
      .map((strings) => ({ type: 'TXT', data: strings.map((s) => Buffer.from(s)) }) as const),
  )
  const record = fc
    .tuple(classic, data)
    .map(([owner, content]) => ({ ...owner, class: 'IN', ...content }) as const)

  test('reads what it writes to the same records, and it reads ours', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 6 }), (answers) => {
        const theirs = dnsPacket.encode({
          type: 'response',
          id: 7,
          questions: [{ type: 'A', name: 'a.b' }],
          answers: [...answers],
        })
        const message = decodeMessage(theirs)
        const ours = encodeMessage(message)
        const readByThem = dnsPacket.decode(Buffer.from(ours))
        expect(readByThem.answers).toEqual(dnsPacket.decode(theirs).answers)
        expect(readByThem.questions).toEqual(dnsPacket.decode(theirs).questions)
        expect(ours.length).toBeLessThanOrEqual(theirs.length)
      }),
      { numRuns: 300 },
    )
  })
})
