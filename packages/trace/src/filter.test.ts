import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseFilter } from './filter.ts'
import { options, tunnelHops } from './fixtures/tunnel-journey.ts'
import { TraceError } from './trace-error.ts'

const passing = (filter: string) =>
  tunnelHops.filter(parseFilter(filter, options.protocols)).map(({ sequence }) => sequence)

describe('parseFilter', () => {
  it.each([
    ['', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    ['node=node-2 netns=pod-3', [9, 10]],
    ['step=route,encapsulate', [3, 4]],
    ['!step=route,encapsulate node=node-1', [0, 1, 2, 5]],
    ['link=flannel.1', [4, 7]],
    ['reason=socket', [10]],
    ['protocol=test-tunnel', [4, 5, 6]],
    ['address=192.168.0.2', [4, 5, 6]],
    ['address=10.244.2.0/24 link=eth0 !port=7777', [1, 9]],
    ['port=7777,81', [4, 5, 6]],
    ['mac=02:00:00:00:00:01 step=send', []],
    ['packet=8', []],
  ])('"%s" passes the hops it should', (filter, sequences) => {
    expect(passing(filter)).toEqual(sequences)
  })

  it.each([
    ['colour=red', /known keys are node/],
    ['node', /write node=VALUE/],
    ['node=', /write node=VALUE/],
    ['port=http', /not a whole number/],
    ['address=10.0.0.1/24', /without host bits/],
    ['mac=red', /not a MAC address/],
    ['constructor=1', /known keys/],
  ])('refuses "%s" and says why', (filter, message) => {
    expect(() => parseFilter(filter, options.protocols)).toThrow(
      expect.objectContaining({ code: 'TRACE_INVALID_FILTER', message: expect.stringMatching(message) }),
    )
  })

  it('reads or refuses any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          passing(text)
        } catch (error) {
          expect(error).toBeInstanceOf(TraceError)
        }
      }),
    )
  })
})
