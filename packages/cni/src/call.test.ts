import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseArgs } from './args.ts'
import { type Call, formatCall, parseCall } from './call.ts'
import { CniError } from './error.ts'
import { parseIfName, parseNetworkName } from './identifiers.ts'

const text = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,20}$/)
const attachment = fc.record({
  containerId: text,
  ifName: fc.stringMatching(/^[a-z][a-z0-9.-]{0,14}$/),
  netns: fc.constant('/run/netns/x'),
  args: fc.dictionary(text, fc.stringMatching(/^[a-z=]{0,5}$/)),
  path: fc.array(fc.stringMatching(/^\/[a-z]{1,8}$/), { maxLength: 2 }),
})

describe('the environment of a call', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(attachment, fc.constantFrom('ADD', 'CHECK', 'DEL'), (facts, command) => {
        const call: Call = { command, ...facts }
        expect(parseCall(formatCall(call))).toEqual(call)
      }),
    )
  })

  it('is read or refused with a CNI error, whatever it holds', () => {
    const names = fc.constantFrom(
      'CNI_COMMAND',
      'CNI_CONTAINERID',
      'CNI_NETNS',
      'CNI_IFNAME',
      'CNI_ARGS',
      'CNI_PATH',
    )
    const values = fc.oneof(fc.constantFrom('ADD', 'DEL', 'GC'), fc.string(), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(fc.dictionary(names, values), (env) => {
        try {
          parseCall(env)
        } catch (error) {
          expect(error).toBeInstanceOf(CniError)
          expect((error as CniError).number).toBe(4)
        }
      }),
    )
  })

  it('names every missing variable at once', () => {
    expect(() => parseCall({ CNI_COMMAND: 'ADD', CNI_NETNS: '' })).toThrow(
      'CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME are missing from the environment of ADD',
    )
    expect(() => parseCall({})).toThrow('CNI_COMMAND is missing')
    expect(() => parseCall({ CNI_COMMAND: 'add' })).toThrow('CNI_COMMAND "add": expected one of ADD')
  })

  it('lets DEL do without a namespace, as runtimes call it when that is gone', () => {
    const call = parseCall({ CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a', CNI_IFNAME: 'eth0', CNI_NETNS: '' })
    expect(call).not.toHaveProperty('netns')
  })

  it('ignores a trace context that is not well-formed', () => {
    const good = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    expect(parseCall({ CNI_COMMAND: 'GC', TRACEPARENT: good, TRACESTATE: 'x=1' }).trace).toEqual({
      traceparent: good,
      tracestate: 'x=1',
    })
    expect(parseCall({ CNI_COMMAND: 'GC', TRACEPARENT: 'nonsense' })).not.toHaveProperty('trace')
  })

  it('reads CNI_ARGS as runtimes write them', () => {
    expect(parseArgs('IgnoreUnknown=1;K8S_POD_NAME=a;X=b=c;')).toEqual({
      IgnoreUnknown: '1',
      K8S_POD_NAME: 'a',
      X: 'b=c',
    })
    expect(() => parseArgs('A=1;B')).toThrow('CNI_ARGS "B": expected KEY=VALUE')
  })
})

describe('identifiers', () => {
  it.each(['', '.', '..', 'a/b', 'a:b', 'a b', 'a\u00a0b', 'a\tb', 'x'.repeat(16), 'ääääääää', '\ud800'])(
    'refuse %j as the name of an interface',
    (name) => {
      expect(() => parseIfName(name)).toThrow('CNI_IFNAME')
    },
  )

  it('count octets, not characters', () => {
    expect(parseIfName('äääääää')).toBe('äääääää')
    expect(parseIfName('x'.repeat(15))).toHaveLength(15)
  })

  it.each(['', '.a', 'a/../b', 'a b', 'ä', 'x'.repeat(129)])('refuse %j as the name of a network', (name) => {
    expect(() => parseNetworkName(name)).toThrow(expect.objectContaining({ number: 7 }))
  })
})
