import { describe, expect, it } from 'vitest'
import { hop, tunnelHops } from './fixtures/tunnel-journey.ts'
import { journeys } from './journey.ts'
import { stages } from './stage.ts'

describe('journeys', () => {
  it('puts the hops of each packet together, in order, whatever order they came in', () => {
    const other = {
      ...hop(3.5, { node: 'node-1', netns: '', step: 'drop', reason: 'NO_ROUTE' }),
      packet: 8,
      cause: 7,
    }
    const found = journeys([...tunnelHops.toReversed(), other])
    expect(found.map(({ packet, outcome, cause }) => ({ packet, outcome, cause }))).toEqual([
      { packet: 7, outcome: 'delivered', cause: undefined },
      { packet: 8, outcome: 'dropped', cause: 7 },
    ])
    expect(found[0]?.hops).toEqual(tunnelHops)
  })

  it('says that a packet without an end is under way', () => {
    expect(journeys(tunnelHops.slice(0, 5))[0]?.outcome).toBe('under-way')
  })

  it('counts a flooded packet as delivered when one of its copies was', () => {
    const lost = hop(9.5, { node: 'node-2', netns: '', link: 'veth9', step: 'drop', reason: 'NO_CARRIER' })
    expect(journeys([...tunnelHops, lost])[0]?.outcome).toBe('delivered')
  })
})

describe('stages', () => {
  it('cuts the way through a tunnel into six', () => {
    const [journey] = journeys(tunnelHops)
    const found = journey ? stages(journey) : []
    expect(
      found.map(({ node, netns, encapsulated, hops }) => [node, netns, encapsulated, hops.length]),
    ).toEqual([
      ['node-1', 'pod-2', false, 2],
      ['node-1', '', false, 2],
      ['node-1', '', true, 2],
      ['node-2', '', false, 2],
      ['node-2', '', false, 1],
      ['node-2', 'pod-3', false, 2],
    ])
  })
})
