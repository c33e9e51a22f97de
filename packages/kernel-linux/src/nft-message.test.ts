import { KernelError, type NftRule } from '@podfabric/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Attributes, NetlinkWriter, netlinkMessages } from './netlink-message.ts'
import { printedElements, readElements, writeElements } from './nft-element.ts'
import { readInstructions, writeInstructions } from './nft-instruction.ts'
import { familyIn } from './nft-message.ts'
import { decodeComment, encodeComment, lowerRule } from './nft-rule.ts'
import { raiseRule } from './nft-rule-reader.ts'
import { type NftSetFacts, readSetFacts } from './nft-set.ts'
import { blamed, transactionSteps } from './nft-transaction.ts'

const ports: NftSetFacts = { key: ['inet_service'], interval: true }
const rule: NftRule = {
  kind: 'rule',
  family: 'inet',
  table: 't',
  chain: 'c',
  expressions: [
    { match: 'ip saddr', value: '10.0.0.0/9' },
    { match: 'tcp dport', value: { set: 'ports' } },
    { counter: { packets: 1, bytes: 2 } },
    { verdict: 'drop' },
  ],
  comment: 'x',
}

// The octets that `strace -xx -e trace=sendmsg nft -f` (nftables 1.0.6) shows for
//   add set inet t ports { type inet_service ; flags interval ; }
//   add element inet t ports { 10-20 }
//   add rule inet t c ip saddr 10.0.0.0/9 tcp dport @ports counter packets 1 bytes 2 drop comment "x"
const captured = {
  expressions: fromHex([
    '24000180090001006d6574610000000014000280080002000000000f08000100000000012c00018008000100636d7000',
    '20000280080001000000000108000200000000000c0003800500010002000000340001800c0001007061796c6f616400',
    '2400028008000100000000010800020000000001080003000000000c0800040000000004440001800c00010062697477',
    '69736500340002800800010000000001080002000000000108000300000000040c00048008000100ff8000000c000580',
    '08000100000000002c00018008000100636d700020000280080001000000000108000200000000000c00038008000100',
    '0a00000024000180090001006d6574610000000014000280080002000000001008000100000000012c00018008000100',
    '636d700020000280080001000000000108000200000000000c0003800500010006000000340001800c0001007061796c',
    '6f616400240002800800010000000001080002000000000208000300000000020800040000000002300001800b000100',
    '6c6f6f6b757000002000028008000200000000010a000100706f72747300000008000400000000012c0001800c000100',
    '636f756e746572001c0002800c00010000000000000000020c0002000000000000000001300001800e000100696d6d65',
    '64696174650000001c0002800800010000000000100002800c0002800800010000000000',
  ]),
  /** The first of these is nft's own, an end of nothing at zero. */
  elements: fromHex([
    '1800018008000300000000010c0001800600010000000000100002800c00018006000100000a00001800038008000300',
    '000000010c0001800600010000150000',
  ]),
  comment: fromHex(['00027800']),
}

/** Everything that this package reads of a rule or set. */
function readAll(octets: Uint8Array): unknown {
  const read = [
    () => {
      const instructions = readInstructions(octets)
      return instructions === undefined ? undefined : raiseRule(instructions, 'inet', () => undefined)
    },
    () => {
      const payload = new Attributes(octets)
      const facts = readSetFacts(payload)
      const maps = [
        ports,
        { ...ports, to: 'verdict' },
        { ...ports, to: ['ipv4_addr', 'inet_service'] },
      ] as const
      return { facts, values: maps.map((one) => printedElements(one, readElements(payload, one))) }
    },
    () => decodeComment(octets),
    () => familyIn(octets),
  ]
  return read.map((one) => {
    try {
      return one()
    } catch (error) {
      if (error instanceof KernelError && error.code === 'EPROTO') return error.message
      throw error
    }
  })
}

describe('nftables messages', () => {
  it('of nft are read in our words', () => {
    expect(raiseRule(readInstructions(captured.expressions) ?? [], 'inet', () => undefined)).toEqual(
      rule.expressions,
    )
    expect(decodeComment(captured.comment)).toBe('x')
    const payload = new Attributes(
      Uint8Array.of(captured.elements.length + 4, 0, 3, 0x80, ...captured.elements),
    )
    expect(printedElements(ports, readElements(payload, ports))).toEqual([{ key: '10-20' }])
  })

  it('of ours have the instructions that nft has for the same words', () => {
    const named = () => ports
    const anonymous = () => ({ name: '__set%d', id: 1, interval: false })
    const writer = new NetlinkWriter(0)
    writeInstructions(writer, lowerRule(rule, { named, anonymous }))
    const [message] = netlinkMessages(writer.finish(1, 0))
    expect(readInstructions(message?.payload ?? new Uint8Array())).toEqual(
      readInstructions(captured.expressions),
    )
    expect(encodeComment('x')).toEqual(captured.comment)
  })

  it('of ours have the elements that nft has, but for its end of nothing', () => {
    const writer = new NetlinkWriter(0)
    writeElements(writer, ports, [{ interval: { first: Uint8Array.of(0, 10), last: Uint8Array.of(0, 20) } }])
    const [message] = netlinkMessages(writer.finish(1, 0))
    const ours = readElements(new Attributes(message?.payload ?? new Uint8Array()), ports)
    const payload = new Attributes(
      Uint8Array.of(captured.elements.length + 4, 0, 3, 0x80, ...captured.elements),
    )
    expect(ours).toEqual(readElements(payload, ports).slice(1))
  })

  it('that were cut off are read, or are EPROTO, and nothing behind them is looked at', () => {
    for (const octets of [captured.expressions, captured.elements, captured.comment]) {
      for (let length = 0; length <= octets.length; length++) {
        const within = octets.slice().subarray(0, length)
        expect(readAll(within)).toEqual(readAll(octets.slice(0, length)))
      }
    }
  })

  it('with any octets changed are read, or are EPROTO, and nothing around them is looked at', () => {
    const whole = fc.constantFrom(captured.expressions, captured.elements, captured.comment)
    const change = fc.tuple(fc.nat(), fc.nat(255))
    fc.assert(
      fc.property(
        whole,
        fc.array(change, { maxLength: 4 }),
        fc.uint8Array({ maxLength: 40 }),
        (octets, changes, around) => {
          const changed = octets.slice()
          for (const [at, value] of changes) changed[at % changed.length] = value
          const framed = Uint8Array.of(...around, ...changed, ...around)
          const within = framed.subarray(around.length, around.length + changed.length)
          expect(readAll(within)).toEqual(readAll(changed))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('of chance are read, or are EPROTO', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => void readAll(octets)),
      { numRuns: 2000 },
    )
  })

  it('are blamed by what stands at an offset, and by nothing where no attribute is', () => {
    const lookup = () => ports
    const elements = {
      kind: 'elements',
      family: 'inet',
      table: 't',
      set: 'ports',
      elements: ['10-20'],
    } as const
    const [step] = transactionSteps([{ verb: 'add', object: elements }], lookup)
    const message = step?.writer.finish(1, 0) ?? new Uint8Array()
    expect(blamed(message, 20)).toBe('table t')
    expect(blamed(message, 28)).toBe('set ports')
    expect(blamed(message, 48)).toBe('element')
    for (const offset of [0, 16, message.length, message.length + 100, 0xffff_ffff]) {
      expect(blamed(message, offset)).toBeUndefined()
    }
  })
})

function fromHex(lines: readonly string[]): Uint8Array {
  return Uint8Array.from(lines.join('').match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
}
