import { ip, parseIpv6 } from '@podfabric/netaddr'
import { tcpFlags } from '@podfabric/wire'
import { describe, expect, it } from 'vitest'
import {
  chainWith,
  echoPacket,
  errorFor,
  filter,
  forward,
  icmpPacket,
  nat,
  passes,
  router,
  tcpPacket,
  udpPacket,
} from '../test/netfilter-bed.ts'
import type { NetfilterPacket } from './netfilter.ts'

const { syn, ack, fin, rst } = tcpFlags
const out = { from: '10.0.0.2', to: '198.51.100.7' }
const back = { from: out.to, to: out.from, sourcePort: 80, destinationPort: 5000 }

/** A router that counts nothing out, and tells what it takes a packet for. */
function watching() {
  const bed = router()
  const states = ['new', 'established', 'related', 'invalid', 'untracked'] as const
  const marks = states.map((state, i) => [{ match: 'ct state', value: state } as const, { setMark: i + 1 }])
  bed.rules.apply(chainWith(filter('forward'), marks))
  const stateOf = (packet: NetfilterPacket, way: 'out' | 'in' = 'out'): string | undefined => {
    forward(bed.rules, packet, way)
    return states[packet.mark - 1]
  }
  return { ...bed, stateOf }
}

describe('connections', () => {
  it('cost nothing until a rule asks', () => {
    const { rules } = router()
    expect(rules.active('forward', 4)).toBe(false)
    rules.apply(chainWith(filter('forward'), [[{ verdict: 'accept' }]]))
    expect(rules.active('forward', 4)).toBe(true)
    expect(rules.active('prerouting', 4)).toBe(false)
    expect(rules.tracking(4)).toBe(false)
    forward(rules, udpPacket(out))
    expect(rules.connections()).toEqual([])
    rules.apply(chainWith(nat('postrouting'), [], 'ip'))
    expect([rules.tracking(4), rules.tracking(6)]).toEqual([true, false])
    expect(rules.active('prerouting', 4)).toBe(true)
  })

  it('are new, then established once an answer was seen', () => {
    const { stateOf, rules } = watching()
    const answer = udpPacket({ ...back, sourcePort: 53 })
    expect(stateOf(udpPacket(out))).toBe('new')
    expect(stateOf(udpPacket(out))).toBe('new')
    expect(stateOf(answer, 'in')).toBe('established')
    expect(stateOf(udpPacket(out))).toBe('established')
    expect(rules.connections()).toEqual([
      {
        protocol: 'udp',
        original: { source: out.from, destination: out.to, sourcePort: 5000, destinationPort: 53 },
        reply: { source: out.to, destination: out.from, sourcePort: 53, destinationPort: 5000 },
        confirmedByReply: true,
        mark: 0,
      },
    ])
  })

  it('begin with a request: an answer alone is invalid for echoes', () => {
    const { stateOf } = watching()
    expect(stateOf(echoPacket(back, 'echo-reply'), 'in')).toBe('invalid')
    expect(stateOf(echoPacket(out, 'echo-request'))).toBe('new')
    expect(stateOf(echoPacket({ from: out.to, to: out.from }, 'echo-reply'), 'in')).toBe('established')
    expect(stateOf(echoPacket({ from: out.to, to: out.from }, 'echo-request'), 'in')).toBe('new')
  })

  it('are told from errors about them, which are related', () => {
    const { stateOf } = watching()
    const packet = udpPacket(out)
    stateOf(packet)
    expect(stateOf(errorFor(packet, '198.51.100.1', out.from), 'in')).toBe('related')
    expect(stateOf(errorFor(udpPacket({ ...out, sourcePort: 1 }), out.to, out.from), 'in')).toBe('invalid')
  })

  it('do not exist for neighbor discovery', () => {
    const { stateOf } = watching()
    const target = parseIpv6('fd00::2')
    const solicitation = { kind: 'neighbor-solicitation', target, options: [] } as const
    const ends = { from: 'fd00::1', to: target, payload: new Uint8Array(0) }
    const packet = icmpPacket(ends, { kind: 'echo-reply', identifier: 1, sequence: 1 }, solicitation)
    expect(stateOf(packet)).toBe('untracked')
  })

  it('are not remembered when their first packet is dropped', () => {
    const { rules } = router()
    rules.apply(
      chainWith(filter('forward', 'drop'), [
        [{ match: 'ct state', value: 'established' }, { verdict: 'accept' }],
      ]),
    )
    expect(passes(forward(rules, udpPacket(out)))).toBe(false)
    expect(rules.connections()).toEqual([])
  })

  it('are followed once when they pass lo', () => {
    const { rules } = watching()
    const packet = udpPacket({ from: '10.0.0.2', to: '10.0.0.2' })
    const lo = { input: 'lo', output: '' }
    for (const hook of ['output', 'postrouting'] as const)
      rules.hook(packet, hook, { input: '', output: 'lo' })
    for (const hook of ['prerouting', 'input'] as const) rules.hook(packet, hook, lo)
    expect(rules.connections()).toHaveLength(1)
  })

  it('are found and forgotten by any of their fields', () => {
    const { stateOf, rules } = watching()
    stateOf(udpPacket(out))
    stateOf(tcpPacket(out))
    stateOf(udpPacket({ ...out, from: '10.0.0.3' }))
    expect(rules.connections({ protocol: 'udp' })).toHaveLength(2)
    expect(rules.connections({ original: { source: ip('10.0.0.3') } })).toHaveLength(1)
    expect(rules.connections({ reply: { sourcePort: 80 } })).toHaveLength(1)
    expect(rules.forget({ original: { source: ip('10.0.0.2') } })).toBe(2)
    expect(rules.forget({ original: { source: ip('10.0.0.2') } })).toBe(0)
    expect(rules.connections()).toHaveLength(1)
    expect(stateOf(udpPacket(out))).toBe('new')
  })

  it('are forgotten after a while without packets: UDP sooner when nobody answered', async () => {
    const { stateOf, rules, clock } = watching()
    stateOf(udpPacket(out))
    await clock.advance(29_000)
    expect(rules.connections()).toHaveLength(1)
    await clock.advance(1000)
    expect(rules.connections()).toEqual([])
    expect(stateOf(udpPacket({ ...back, sourcePort: 53 }), 'in')).toBe('new')
    stateOf(tcpPacket(out))
    await clock.advance(119_000)
    expect(rules.connections()).toHaveLength(1)
    await clock.advance(1000)
    expect(rules.connections()).toEqual([])
  })

  it('do not pile up', async () => {
    const { stateOf, rules, clock } = watching()
    for (let i = 0; i < 3000; i++) {
      stateOf(udpPacket({ ...out, sourcePort: 1024 + i }))
      if (i % 500 === 0) await clock.advance(31_000)
    }
    expect(rules.connections().length).toBeLessThanOrEqual(500)
  })
})

describe('a TCP connection', () => {
  it('is established by its handshake, and new before', () => {
    const { stateOf } = watching()
    expect(stateOf(tcpPacket(out, syn))).toBe('new')
    expect(stateOf(tcpPacket(out, syn))).toBe('new')
    expect(stateOf(tcpPacket(back, syn | ack), 'in')).toBe('established')
    expect(stateOf(tcpPacket(out, ack))).toBe('established')
  })

  it('may be met under way, but not by an answer to a SYN or by an end', () => {
    const { stateOf } = watching()
    expect(stateOf(tcpPacket(out, syn | ack))).toBe('invalid')
    expect(stateOf(tcpPacket(out, fin | ack))).toBe('invalid')
    expect(stateOf(tcpPacket(out, rst))).toBe('invalid')
    expect(stateOf(tcpPacket(out, syn | fin))).toBe('invalid')
    expect(stateOf(tcpPacket(out, 0))).toBe('invalid')
    expect(stateOf(tcpPacket(out, ack))).toBe('new')
  })

  it('that was refused is forgotten at once', () => {
    const { stateOf, rules } = watching()
    stateOf(tcpPacket(out, syn))
    expect(stateOf(tcpPacket(back, rst | ack), 'in')).toBe('established')
    expect(rules.connections()).toEqual([])
  })

  it('that has ended makes room for a new one with the same ports', async () => {
    const { stateOf, rules, clock } = watching()
    stateOf(tcpPacket(out, syn))
    stateOf(tcpPacket(back, syn | ack), 'in')
    stateOf(tcpPacket(out, ack))
    stateOf(tcpPacket(out, fin | ack))
    stateOf(tcpPacket(back, fin | ack), 'in')
    stateOf(tcpPacket(out, ack))
    expect(stateOf(tcpPacket(out, syn))).toBe('new')
    expect(rules.connections()).toHaveLength(1)
    expect(rules.connections()[0]?.confirmedByReply).toBe(false)
    await clock.advance(120_000)
    expect(rules.connections()).toEqual([])
  })

  it('lives for days once established', async () => {
    const { stateOf, rules, clock } = watching()
    stateOf(tcpPacket(out, syn))
    stateOf(tcpPacket(back, syn | ack), 'in')
    stateOf(tcpPacket(out, ack))
    await clock.advance(4 * 86_400_000)
    expect(rules.connections()).toHaveLength(1)
  })
})
