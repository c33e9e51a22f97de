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
  env: fc.dictionary(fc.constantFrom(...handedOver), text, { noNullPrototype: true }),
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

  it('is never read from any other text', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.json()), (other) => {
        expect(codeOf(() => parseAgentCall(other))).toBe('CNI_DECODING_FAILURE')
      }),
    )
  })

  it.each([
    ['[]', 'expected an object'],
    ['{"env":{},"stdin":""}', 'expected `type` as text'],
    ['{"type":"a","env":{}}', 'expected `stdin` as text'],
    ['{"type":"a","stdin":""}', 'expected `env` as an object'],
    ['{"type":"a","stdin":"","env":null}', 'expected `env` as an object'],
    ['{"type":"a","stdin":"","env":{"CNI_ARGS":1}}', 'expected the variable "CNI_ARGS" in `env` as text'],
    ['{"type":"a","stdin":"","env":{"LD_PRELOAD":"x"}}', 'expected no variable "LD_PRELOAD" in `env`'],
    ['{"type":"a","stdin":"","env":{"__proto__":"x"}}', 'expected no variable "__proto__" in `env`'],
    ['{"type":"a","type":"b","env":{},"stdin":""}', 'the key type occurs twice'],
  ])('%s is refused: %s', (wrong, reason) => {
    expect(() => parseAgentCall(wrong)).toThrow(reason)
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

  it('is never read from any other text', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.json()), (other) => {
        expect(codeOf(() => parseAgentAnswer(other))).toBe('CNI_IO_FAILURE')
      }),
    )
  })

  it.each([-1, 256, 0.5, '0'])('with the exit code %j is none', (exitCode) => {
    const wrong = JSON.stringify({ stdout: '', stderr: '', exitCode })
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
