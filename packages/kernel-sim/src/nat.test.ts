import { tcpFlags } from '@podfabric/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  chainWith,
  type Ends,
  echoPacket,
  errorFor,
  forward,
  nat,
  octetsOf,
  passes,
  router,
  seen,
  tcpPacket,
  udpPacket,
} from '../test/netfilter-bed.ts'
import type { NetfilterPacket } from './netfilter.ts'

const masquerade = chainWith(nat('postrouting'), [[{ match: 'oifname', value: 'out' }, { masquerade: {} }]])

const versions = [
  {
    version: 4,
    pod: '10.0.0.2',
    other: '10.0.0.3',
    server: '198.51.100.7',
    own: '192.0.2.1',
    vip: '10.96.0.1',
  },
  { version: 6, pod: 'fd00::2', other: 'fd00::3', server: '2001:db8::7', own: '2001:db8::1', vip: 'fd96::1' },
] as const

describe.each(versions)('masquerading IPv$version', ({ pod, other, server, own }) => {
  it('makes a UDP flow come from the link, and its answers go back to the pod', () => {
    const { rules } = router()
    rules.apply(masquerade)
    const request = udpPacket({ from: pod, to: server })
    const decisions = forward(rules, request)
    expect(decisions.map((one) => one.verdict === 'accept' && one.translation)).toEqual([
      undefined,
      undefined,
      'MASQUERADE',
    ])
    expect(seen(request)).toBe(`${own} 5000 > ${server} 53`)
    const answer = udpPacket({ from: server, to: own, sourcePort: 53, destinationPort: 5000 })
    expect(forward(rules, answer, 'in')[0]).toEqual({
      verdict: 'accept',
      translation: 'NAT_REPLY',
      changed: true,
    })
    expect(seen(answer)).toBe(`${server} 53 > ${pod} 5000`)
  })

  it('keeps two pods with the same port apart', () => {
    const { rules } = router()
    rules.apply(masquerade)
    const first = tcpPacket({ from: pod, to: server })
    const second = tcpPacket({ from: other, to: server })
    forward(rules, first)
    forward(rules, second)
    const [, port = ''] = /^\S+ (\d+)/.exec(seen(second)) ?? []
    expect(seen(first)).toBe(`${own} 5000 > ${server} 80`)
    expect(Number(port)).toBeGreaterThan(1023)
    expect(port).not.toBe('5000')
    const flags = tcpFlags.syn | tcpFlags.ack
    const ends = { from: server, to: own, sourcePort: 80, destinationPort: Number(port) }
    const answer = tcpPacket(ends, flags)
    forward(rules, answer, 'in')
    expect(seen(answer)).toBe(`${server} 80 > ${other} 5000`)
  })

  it('translates the identifier of echoes when two pods have the same', () => {
    const { rules } = router()
    rules.apply(masquerade)
    const first = echoPacket({ from: pod, to: server }, 'echo-request')
    const second = echoPacket({ from: other, to: server }, 'echo-request')
    forward(rules, first)
    forward(rules, second)
    expect(seen(first)).toBe(`${own} 7 > ${server}`)
    const [, identifier = ''] = /^\S+ (\d+)/.exec(seen(second)) ?? []
    expect(identifier).not.toBe('7')
    const answer = echoPacket({ from: server, to: own, sourcePort: Number(identifier) }, 'echo-reply')
    forward(rules, answer, 'in')
    expect(seen(answer)).toBe(`${server} 7 > ${other}`)
  })

  it('gives an ICMP error back to the pod, with the packet that the pod sent inside', () => {
    const { rules } = router()
    rules.apply(masquerade)
    for (const make of [udpPacket, tcpPacket]) {
      const packet = make({ from: pod, to: server })
      const before = octetsOf(packet)
      forward(rules, packet)
      const error = errorFor(packet, server, own)
      expect(passes(forward(rules, error, 'in'))).toBe(true)
      expect(seen(error)).toContain(`${server}  > ${pod}`)
      expect(octetsOf(error).slice(-before.length)).toEqual(before)
    }
  })

  it('gives back an error that quotes eight octets only', () => {
    const { rules } = router()
    rules.apply(masquerade)
    const packet = tcpPacket({ from: pod, to: server })
    const before = octetsOf(packet)
    forward(rules, packet)
    const headers = pod.includes(':') ? 40 : 20
    const error = errorFor(packet, server, own, headers + 8)
    forward(rules, error, 'in')
    expect(seen(error)).toContain(`> ${pod}`)
    expect(octetsOf(error).slice(-headers - 8)).toEqual(before.slice(0, headers + 8))
  })

  it('drops what it has no address for', () => {
    const { rules } = router()
    rules.apply(chainWith(nat('postrouting'), [[{ masquerade: {} }]]))
    const packet = udpPacket({ from: pod, to: server })
    const site = { input: 'in', output: 'nowhere' }
    rules.hook(packet, 'prerouting', { input: 'in', output: '' })
    expect(rules.hook(packet, 'postrouting', site).verdict).toBe('drop')
    expect(rules.connections()).toEqual([])
  })
})

describe.each(versions)('translating the destination, IPv$version', ({ pod, server, vip }) => {
  const toVip = [
    { match: pod.includes(':') ? 'ip6 daddr' : 'ip daddr', value: vip },
    { match: 'tcp dport', value: 80 },
    { dnat: { address: server, port: 8080 } },
  ] as const

  it('leads a service address to its pod, and hides that from the client', () => {
    const { rules } = router()
    rules.apply(chainWith(nat('prerouting'), [toVip]))
    const packet = tcpPacket({ from: pod, to: vip })
    expect(forward(rules, packet)[0]).toEqual({ verdict: 'accept', translation: 'DNAT', changed: true })
    expect(seen(packet)).toBe(`${pod} 5000 > ${server} 8080`)
    const flags = tcpFlags.syn | tcpFlags.ack
    const answer = tcpPacket({ from: server, to: pod, sourcePort: 8080, destinationPort: 5000 }, flags)
    expect(forward(rules, answer, 'in')[2]).toEqual({
      verdict: 'accept',
      translation: 'NAT_REPLY',
      changed: false,
    })
    expect(seen(answer)).toBe(`${vip} 80 > ${pod} 5000`)
  })

  it('works for what is sent from here, too, and asks for a new route', () => {
    const { rules } = router()
    rules.apply(chainWith(nat('output'), [toVip]))
    const packet = tcpPacket({ from: pod, to: vip })
    const decision = rules.hook(packet, 'output', { input: '', output: 'out' })
    expect(decision).toEqual({ verdict: 'accept', translation: 'DNAT', changed: true })
    expect(seen(packet)).toBe(`${pod} 5000 > ${server} 8080`)
  })

  it('shows the service address in errors about it', () => {
    const { rules } = router()
    rules.apply(chainWith(nat('prerouting'), [toVip]))
    const packet = tcpPacket({ from: pod, to: vip })
    const before = octetsOf(packet)
    forward(rules, packet)
    const error = errorFor(packet, server, pod)
    forward(rules, error, 'in')
    expect(seen(error)).toContain(`${vip}  > ${pod}`)
    expect(octetsOf(error).slice(-before.length)).toEqual(before)
  })

  it('decides once: later rules change nothing for a connection that has begun', () => {
    const { rules } = router()
    const [table, chain, rule] = chainWith(nat('prerouting'), [toVip])
    rules.apply([table, chain, rule].filter((command) => command !== undefined))
    forward(rules, tcpPacket({ from: pod, to: vip }))
    rules.apply([{ verb: 'flush', object: { kind: 'table', family: 'inet', name: 't' } }])
    const again = tcpPacket({ from: pod, to: vip })
    forward(rules, again)
    expect(seen(again)).toBe(`${pod} 5000 > ${server} 8080`)
    const fresh = tcpPacket({ from: pod, to: vip, sourcePort: 5001 })
    forward(rules, fresh)
    expect(seen(fresh)).toBe(`${pod} 5001 > ${vip} 80`)
  })
})

describe('both at once', () => {
  it('source and destination of one packet are translated, and both are put back', () => {
    const { rules } = router()
    rules.apply([
      ...chainWith(
        nat('prerouting'),
        [[{ match: 'udp dport', value: 53 }, { dnat: { address: '198.51.100.7' } }]],
        'ip',
      ),
      ...chainWith(nat('postrouting'), [[{ masquerade: {} }]], 'ip'),
    ])
    const packet = udpPacket({ from: '10.0.0.2', to: '10.96.0.1' })
    forward(rules, packet)
    expect(seen(packet)).toBe('192.0.2.1 5000 > 198.51.100.7 53')
    const answer = udpPacket({ from: '198.51.100.7', to: '192.0.2.1', sourcePort: 53, destinationPort: 5000 })
    forward(rules, answer, 'in')
    expect(seen(answer)).toBe('10.96.0.1 53 > 10.0.0.2 5000')
  })

  it('leaves a UDP datagram without checksum without', () => {
    const { rules } = router()
    rules.apply(masquerade)
    const packet = udpPacket({ from: '10.0.0.2', to: '198.51.100.7' })
    packet.bytes.fill(0, packet.offset + 26, packet.offset + 28)
    forward(rules, packet)
    expect([...octetsOf(packet).subarray(26, 28)]).toEqual([0, 0])
    expect(seen(packet)).toBe('192.0.2.1 5000 > 198.51.100.7 53')
  })

  it('leaves a damaged packet damaged', () => {
    const { rules } = router()
    rules.apply(masquerade)
    const packet = udpPacket({ from: '10.0.0.2', to: '198.51.100.7' })
    packet.bytes[packet.offset + 30] = 99
    forward(rules, packet)
    expect(() => seen(packet)).toThrow('WIRE_CHECKSUM')
  })
})

const port = fc.integer({ min: 1, max: 65_535 })
const payload = fc.uint8Array({ maxLength: 40 })
const traffic = fc.record({
  family: fc.constantFrom(4 as const, 6 as const),
  kind: fc.constantFrom('udp' as const, 'tcp' as const, 'echo' as const),
  host: fc.integer({ min: 1, max: 250 }),
  sourcePort: port,
  destinationPort: port,
  payload,
  destinationNat: fc.boolean(),
  sourceNat: fc.boolean(),
  random: fc.boolean(),
})
const swapped = (ends: Ends): Ends => ({
  ...ends,
  from: ends.to,
  to: ends.from,
  sourcePort: ends.destinationPort ?? 0,
  destinationPort: ends.sourcePort ?? 0,
})

describe('there and back', () => {
  it('what the receiver sends back, mirrored, reaches the sender as if nothing had been translated', () => {
    fc.assert(
      fc.property(traffic, (t) => {
        const v4 = t.family === 4
        const ends: Ends = {
          from: v4 ? `10.0.0.${t.host}` : `fd00::${t.host.toString(16)}`,
          to: v4 ? '10.96.0.1' : 'fd96::1',
          sourcePort: t.sourcePort,
          destinationPort: t.destinationPort,
          payload: t.payload,
        }
        const make = (to: Ends, back: boolean): NetfilterPacket => {
          if (t.kind === 'udp') return udpPacket(to)
          if (t.kind === 'tcp') return tcpPacket(to, back ? tcpFlags.syn | tcpFlags.ack : tcpFlags.syn)
          const identifier = { ...to, sourcePort: (back ? to.destinationPort : to.sourcePort) ?? 0 }
          return echoPacket(identifier, back ? 'echo-reply' : 'echo-request')
        }
        const { rules } = router()
        const server = v4 ? '198.51.100.7' : '2001:db8::7'
        if (t.destinationNat)
          rules.apply(chainWith(nat('prerouting'), [[{ dnat: { address: server } }]], v4 ? 'ip' : 'ip6'))
        if (t.sourceNat)
          rules.apply(
            chainWith(nat('postrouting'), [[{ masquerade: { random: t.random } }]], v4 ? 'ip' : 'ip6'),
          )
        const packet = make(ends, false)
        const before = octetsOf(packet)
        expect(passes(forward(rules, packet))).toBe(true)
        const there = /^(\S+) (\d+) > (\S+) ?(\d*)$/.exec(seen(packet)) ?? expect.fail('no packet came out')
        const [, from = '', sourcePort, to = '', destinationPort] = there
        expect(to).toBe(t.destinationNat ? server : ends.to)

        const error = errorFor(packet, to, from)
        const answer = make(
          swapped({
            ...ends,
            from,
            to,
            sourcePort: Number(sourcePort),
            destinationPort: Number(destinationPort),
          }),
          true,
        )
        expect(passes(forward(rules, answer, 'in'))).toBe(true)
        expect(octetsOf(answer)).toEqual(octetsOf(make(swapped(ends), true)))
        expect(passes(forward(rules, error, 'in'))).toBe(true)
        seen(error)
        expect(octetsOf(error).slice(-before.length)).toEqual(before)
      }),
      { numRuns: 300 },
    )
  })
})
