import { CniError } from '@podfabric/cni'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AgentCall,
  failedOutcome,
  formatAgentAnswer,
  formatAgentCall,
  handedOver,
  handedOverFrom,
  parseAgentAnswer,
  parseAgentCall,
} from './protocol.ts'

const text = fc.string({ unit: 'binary' })
const call: fc.Arbitrary<AgentCall> = fc.record({
  type: text,
  env: fc.dictionary(
    fc.constantFrom(...handedOver),
    text.map((value) => value.replaceAll('\0', '')),
    { noNullPrototype: true },
  ),
  stdin: text,
})

const codeOf = (work: () => unknown): string => {
  try {
    work()
    return 'none'
  } catch (error) {
    return error instanceof CniError ? error.code : String(error)
  }
}

describe('a call', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(call, (one) => {
        expect(parseAgentCall(formatAgentCall(one))).toEqual(one)
      }),
    )
  })

  it('is never read from any other octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (other) => {
        expect(codeOf(() => parseAgentCall(other))).toBe('CNI_DECODING_FAILURE')
      }),
    )
  })

  it('is never read from a part of one, nor from one with more behind it', () => {
    fc.assert(
      fc.property(call, fc.nat(), (one, cut) => {
        const octets = formatAgentCall(one)
        const part = octets.subarray(0, cut % octets.length)
        expect(codeOf(() => parseAgentCall(part))).toBe('CNI_DECODING_FAILURE')
        expect(codeOf(() => parseAgentCall(Uint8Array.of(...octets, 0)))).toBe('CNI_DECODING_FAILURE')
      }),
    )
  })

  it.each([
    ['a variable that is not handed over', { LD_PRELOAD: 'x' }, 'expected no variable "LD_PRELOAD=x"'],
    ['a variable of another name', { __proto__x: 'x' }, 'expected no variable'],
  ])('with %s is refused', (_what, env, reason) => {
    const octets = formatAgentCall({ type: 'a', env, stdin: '' })
    expect(() => parseAgentCall(octets)).toThrow(reason)
  })

  it('with a zero in a variable is not written', () => {
    const env = { CNI_ARGS: 'a\0CNI_COMMAND=DEL' }
    expect(codeOf(() => formatAgentCall({ type: 'a', env, stdin: '' }))).toBe('CNI_DECODING_FAILURE')
  })

  it('carries the variables of a call and no others', () => {
    const env = { CNI_COMMAND: 'ADD', CNI_ARGS: '', HOME: '/root', TRACEPARENT: undefined }
    expect(handedOverFrom(env)).toEqual({ CNI_COMMAND: 'ADD', CNI_ARGS: '' })
  })
})

describe('an answer', () => {
  const outcome = fc.record({ stdout: text, stderr: text, exitCode: fc.integer({ min: 0, max: 255 }) })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(outcome, (one) => {
        expect(parseAgentAnswer(formatAgentAnswer(one))).toEqual(one)
      }),
    )
  })

  it('is never read from any other octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (other) => {
        expect(codeOf(() => parseAgentAnswer(other))).toBe('CNI_IO_FAILURE')
      }),
    )
  })

  it.each([-1, 256])('with the exit code %j is none', (exitCode) => {
    const wrong = formatAgentAnswer({ stdout: '', stderr: '', exitCode })
    expect(codeOf(() => parseAgentAnswer(wrong))).toBe('CNI_IO_FAILURE')
  })
})

describe('a failure', () => {
  it('is printed as a plugin prints it', () => {
    const { stdout, exitCode } = failedOutcome(new CniError('CNI_TRY_AGAIN_LATER', 'not yet'))
    expect(JSON.parse(stdout)).toMatchObject({ cniVersion: '1.1.0', code: 11, msg: 'not yet' })
    expect(exitCode).toBe(1)
  })

  it('has a version of text whatever the input was', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.json()), (stdin) => {
        const { cniVersion } = JSON.parse(failedOutcome(new Error('x'), stdin).stdout)
        expect(cniVersion).toBeTypeOf('string')
        expect(cniVersion).not.toBe('')
      }),
    )
  })
})
