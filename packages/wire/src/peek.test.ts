import { ipv4FromNumber, ipv6FromWords, macFromNumber } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bits, u32 } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { dissect, headerOf } from './dissect.ts'
import { ethernet } from './ethernet.ts'
import { flowHashAt } from './flow-hash.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'
import * as peek from './peek.ts'
import {
  rewriteIpv4DestinationAt,
  rewriteIpv4DestinationPortAt,
  rewriteIpv4SourceAt,
  rewriteIpv4SourcePortAt,
} from './rewrite.ts'
import { tcp } from './tcp.ts'
import { udp } from './udp.ts'

const veth = [...frames('linux-veth.hex')]
/** Offsets must not depend on the packet being at the front of its buffer. */
const shift = 3
function shifted(frame: Uint8Array): Uint8Array {
  const buffer = new Uint8Array(frame.length + shift)
  buffer.set(frame, shift)
  return buffer
}

describe('offset readers', () => {
  it.each(veth)('agree with the codecs on "%s"', (_, frame) => {
    const bytes = shifted(frame)
    const dissection = dissect(frame)
    const link = headerOf(dissection, ethernet)
    expect(macFromNumber(peek.macAt(bytes, shift))).toBe(link?.destination)
    expect(macFromNumber(peek.macAt(bytes, shift + 6))).toBe(link?.source)
    expect(peek.etherTypeAt(bytes, shift)).toBe(link?.type)
    const at = shift + 14
    const v4 = headerOf(dissection, ipv4)
    if (v4 !== undefined) {
      expect(peek.ipVersionAt(bytes, at)).toBe(4)
      expect(peek.ipv4HeaderLengthAt(bytes, at)).toBe(ipv4.encodingLength(v4))
      expect(peek.ipv4TotalLengthAt(bytes, at)).toBe(frame.length - 14)
      expect(peek.ipv4TtlAt(bytes, at)).toBe(v4.ttl)
      expect(peek.ipv4ProtocolAt(bytes, at)).toBe(v4.protocol)
      expect(ipv4FromNumber(peek.ipv4SourceAt(bytes, at))).toBe(v4.source)
      expect(ipv4FromNumber(peek.ipv4DestinationAt(bytes, at))).toBe(v4.destination)
      expect(peek.ipv4DontFragmentAt(bytes, at)).toBe(v4.dontFragment)
      expect(peek.ipv4FragmentOffsetAt(bytes, at)).toBe(v4.fragmentOffset)
      expect(peek.ipv4IsFragmentAt(bytes, at)).toBe(v4.moreFragments || v4.fragmentOffset > 0)
    }
    const v6 = headerOf(dissection, ipv6)
    if (v6 !== undefined) {
      const words = new Uint32Array(8)
      peek.ipv6SourceAt(bytes, at, words)
      peek.ipv6DestinationAt(bytes, at, words, 4)
      expect([ipv6FromWords(words), ipv6FromWords(words, 4)]).toEqual([v6.source, v6.destination])
      expect(peek.ipv6HopLimitAt(bytes, at)).toBe(v6.hopLimit)
      expect(peek.ipv6PayloadLengthAt(bytes, at)).toBe(frame.length - 54)
      if (v6.extensions.length === 0) expect(peek.ipv6NextHeaderAt(bytes, at)).toBe(v6.nextHeader)
    }
    const ports = headerOf(dissection, tcp) ?? headerOf(dissection, udp)
    const transport = shift + (dissection.layers.at(-1)?.offset ?? 0)
    if (ports !== undefined) {
      expect(peek.sourcePortAt(bytes, transport)).toBe(ports.sourcePort)
      expect(peek.destinationPortAt(bytes, transport)).toBe(ports.destinationPort)
    }
    if (ports !== undefined && 'flags' in ports) expect(peek.tcpFlagsAt(bytes, transport)).toBe(ports.flags)
  })

  it('write what they read', () => {
    const bytes = new Uint8Array(10)
    fc.assert(
      fc.property(bits(48), u32, (mac, word) => {
        peek.setMacAt(bytes, 1, mac)
        expect(peek.macAt(bytes, 1)).toBe(mac)
        peek.setU32At(bytes, 2, word)
        expect(peek.u32At(bytes, 2)).toBe(word)
      }),
    )
    expect(peek.isGroupMacAt(Uint8Array.of(1), 0)).toBe(true)
    expect(peek.isGroupMacAt(Uint8Array.of(2), 0)).toBe(false)
  })
})

const udpFrame = new Map(veth).get('udp over ipv4') ?? new Uint8Array()
const tcpFrame = new Map(veth).get('tcp data') ?? new Uint8Array()
const icmpFrame = new Map(veth).get('icmp echo request') ?? new Uint8Array()
const errors = (frame: Uint8Array): unknown[] => dissect(frame).errors.map(({ code }) => code)

describe('decrementTtlAt', () => {
  it('keeps the header checksum right down to zero', () => {
    fc.assert(
      fc.property(bits(16), (identification) => {
        const header = { ...ipv4.decode(udpFrame.subarray(14), 'checked').header, identification, ttl: 255 }
        const packet = new Uint8Array(20)
        ipv4.encode(header, packet, 'checked')
        for (let ttl = 254; ttl >= 0; ttl--) {
          peek.decrementTtlAt(packet, 0)
          expect(ipv4.decode(packet, 'checked').header.ttl).toBe(ttl)
        }
      }),
      { numRuns: 20 },
    )
  })

  it('takes one from the hop limit of IPv6', () => {
    const packet = new Uint8Array(40)
    packet[7] = 64
    peek.decrementHopLimitAt(packet, 0)
    expect(peek.ipv6HopLimitAt(packet, 0)).toBe(63)
  })
})

describe('rewriting', () => {
  it('changes addresses and ports and keeps every checksum right', () => {
    fc.assert(
      fc.property(fc.constantFrom(udpFrame, tcpFrame), u32, u32, bits(16), bits(16), (frame, a, b, p, q) => {
        const bytes = shifted(frame)
        rewriteIpv4SourceAt(bytes, shift + 14, a)
        rewriteIpv4DestinationAt(bytes, shift + 14, b)
        rewriteIpv4SourcePortAt(bytes, shift + 14, p)
        rewriteIpv4DestinationPortAt(bytes, shift + 14, q)
        const dissection = dissect(bytes.subarray(shift))
        expect(dissection.errors).toEqual([])
        expect(headerOf(dissection, ipv4)).toMatchObject({
          source: ipv4FromNumber(a),
          destination: ipv4FromNumber(b),
        })
        const ports = headerOf(dissection, udp) ?? headerOf(dissection, tcp)
        expect(ports).toMatchObject({ sourcePort: p, destinationPort: q })
      }),
    )
  })

  it('leaves a UDP checksum of zero zero, a damaged one damaged, and ICMP alone', () => {
    const none = udpFrame.slice()
    none.fill(0, 40, 42)
    rewriteIpv4SourceAt(none, 14, 0x01020304)
    rewriteIpv4DestinationPortAt(none, 14, 53)
    expect([...none.subarray(40, 42)]).toEqual([0, 0])
    expect(errors(none)).toEqual([])
    const damaged = udpFrame.slice()
    damaged[41] = (damaged[41] ?? 0) ^ 1
    rewriteIpv4SourceAt(damaged, 14, 0x01020304)
    expect(errors(damaged)).toEqual(['WIRE_CHECKSUM'])
    const echo = icmpFrame.slice()
    rewriteIpv4SourceAt(echo, 14, 0x01020304)
    rewriteIpv4SourcePortAt(echo, 14, 1)
    expect(errors(echo)).toEqual([])
  })
})

describe('flowHashAt', () => {
  const hash = (frame: Uint8Array): number => flowHashAt(frame, 14, frame.length)

  it('is the same for the packets of one flow and differs between flows and directions', () => {
    const names = new Map(veth)
    const of = (name: string): number => hash(names.get(name) ?? new Uint8Array())
    expect(of('tcp syn')).toBe(of('tcp data'))
    const all = [
      'tcp syn',
      'tcp syn-ack',
      'udp over ipv4',
      'udp over ipv6',
      'icmp echo request',
      'icmp echo reply',
    ].map(of)
    expect(new Set(all).size).toBe(all.length)
    for (const value of all) expect(value).toBe(value >>> 0)
  })

  it('ignores ports in fragments, so that all fragments of a datagram agree', () => {
    const first = udpFrame.slice()
    first[20] = 0x20
    const later = first.slice()
    later[21] = 1
    later.fill(7, 34)
    expect(hash(first)).toBe(hash(later))
    expect(hash(first)).not.toBe(hash(udpFrame))
  })

  it('spreads ports evenly', () => {
    const frame = udpFrame.slice()
    const buckets = new Uint32Array(16)
    for (let port = 32_768; port < 36_864; port++) {
      peek.setU16At(frame, 34, port)
      buckets[hash(frame) & 15] = (buckets[hash(frame) & 15] ?? 0) + 1
    }
    expect(Math.max(...buckets)).toBeLessThan(2 * 256)
    expect(Math.min(...buckets)).toBeGreaterThan(128)
  })

  it('reads nothing beyond the packet', () => {
    expect(flowHashAt(udpFrame, 14, 14)).toBe(0)
    expect(flowHashAt(udpFrame, 14, 33)).toBe(0)
    const cut = udpFrame.slice(0, 35)
    expect(flowHashAt(cut, 14, 35)).toBe(flowHashAt(udpFrame, 14, 35))
  })
})
