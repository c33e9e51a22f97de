import { ipFromBytes } from '@podfabric/netaddr'
import fc from 'fast-check'
import type { Edns, Message } from '../src/message/message.ts'
import type { ResourceRecord } from '../src/message/record.ts'

const label = fc.oneof(
  fc.constantFrom('a', 'web', 'Web', '_http', '_tcp', 'svc', 'cluster', 'local', 'x'.repeat(63)),
  fc.stringMatching(/^[a-z0-9-]{1,12}$/),
  fc.constantFrom('\\000', 'a\\.b', '\\\\', '\\255\\032'),
)
export const arbitraryName = fc
  .array(label, { maxLength: 3 })
  .map((labels) => (labels.length === 0 ? '.' : labels.join('.')))

const uint16 = fc.nat(0xffff)
const uint32 = fc.nat(0xffff_ffff)
const octets = (maxLength: number) => fc.uint8Array({ maxLength })

const data = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((ip) => ({ type: 'A', address: ipFromBytes(ip) })),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((ip) => ({ type: 'AAAA', address: ipFromBytes(ip) })),
  fc.record({ type: fc.constantFrom('CNAME', 'NS', 'PTR'), target: arbitraryName }),
  fc.record({
    type: fc.constant('SRV'),
    priority: uint16,
    weight: uint16,
    port: uint16,
    target: arbitraryName,
  }),
  fc.record({ type: fc.constant('MX'), preference: uint16, exchange: arbitraryName }),
  fc.record({ type: fc.constant('TXT'), strings: fc.array(octets(20), { minLength: 1, maxLength: 3 }) }),
  fc.record({
    type: fc.constant('SOA'),
    primary: arbitraryName,
    mailbox: arbitraryName,
    serial: uint32,
    refresh: uint32,
    retry: uint32,
    expire: uint32,
    minimum: uint32,
  }),
  fc.record({ type: fc.constantFrom('TYPE99', 'TYPE65', 'TYPE65535'), data: octets(20) }),
)

const owner = fc.record({ name: arbitraryName, class: fc.constant('IN'), ttl: fc.nat(0x7fff_ffff) })
// The parts are typed one by one; what they make together is checked by writing and reading it.
const record = fc.tuple(owner, data).map(([head, body]) => ({ ...head, ...body }) as ResourceRecord)
const section = fc.array(record, { maxLength: 4 })

const edns: fc.Arbitrary<Edns> = fc.record({
  udpSize: uint16,
  version: fc.nat(255),
  dnssecOk: fc.boolean(),
  options: fc.array(fc.record({ code: uint16, data: octets(8) }), { maxLength: 2 }),
})

const flags = {
  id: uint16,
  response: fc.boolean(),
  opcode: fc.nat(15),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  authenticData: fc.boolean(),
  checkingDisabled: fc.boolean(),
}

const sections = {
  questions: fc.array(
    fc.record({
      name: arbitraryName,
      type: fc.constantFrom('A', 'AAAA', 'ANY', 'SRV', 'TYPE99'),
      class: fc.constantFrom('IN', 'ANY', 'CLASS99'),
    } as const),
    { maxLength: 2 },
  ),
  answers: section,
  authorities: section,
  additionals: section,
}

/** Any message in the form in which it is read back: equal to what decoding its octets gives. */
export const arbitraryMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ ...flags, ...sections, rcode: fc.nat(15) }),
  fc.record({ ...flags, ...sections, rcode: fc.nat(4095), edns }),
)
