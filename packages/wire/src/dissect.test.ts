import { mac, parseIpv4 } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frames } from '../test/frames.ts'
import type { Codec } from './codec.ts'
import { dissect, headerOf } from './dissect.ts'
import { dissectionToJson, fromHex, toHex } from './dissection-json.ts'
import { ethernet, ethernetHeader } from './ethernet.ts'
import { ipv4, ipv4Header } from './ipv4.ts'
import { linkTypes } from './link-type.ts'
import { encodePacket, layer } from './packet.ts'
import { dissector, nextProtocols } from './protocols.ts'
import { linuxSll2, nullLink } from './pseudo-link.ts'
import { tcp } from './tcp.ts'
import { udp } from './udp.ts'

const veth = frames('linux-veth.hex')
const frame = (name: string): Uint8Array => veth.get(name)?.slice() ?? new Uint8Array()
const ends = { source: parseIpv4('10.0.0.1'), destination: parseIpv4('10.0.0.2') }
const macs = { source: mac('02:00:00:00:00:01'), destination: mac('02:00:00:00:00:02') }

describe('dissect', () => {
  it.each([...veth])('reads the Linux frame "%s" without an error', (_, bytes) => {
    const { layers, errors, payload, payloadOffset } = dissect(bytes)
    expect(errors).toEqual([])
    expect(layers.length).toBeGreaterThan(1)
    let offset = 0
    for (const layer of layers) {
      expect(layer.offset).toBe(offset)
      offset += layer.length
    }
    expect(payloadOffset).toBe(offset)
    expect(offset + payload.length).toBe(bytes.length)
  })

  it('gives headers with their types by codec', () => {
    const dissection = dissect(frame('tcp data'))
    expect(headerOf(dissection, tcp)?.destinationPort).toBe(8080)
    expect(headerOf(dissection, udp)).toBeUndefined()
    expect(toHex(dissection.payload)).toBe(toHex(new TextEncoder().encode('ping')))
  })

  it('notes a wrong checksum and goes on', () => {
    const damaged = frame('udp over ipv4')
    damaged[44] = 0
    damaged[24] = 0
    const { layers, errors } = dissect(damaged)
    expect(layers.map(({ protocol }) => protocol)).toEqual(['ethernet', 'ipv4', 'udp'])
    expect(errors.map(({ layer, offset, code }) => [layer, offset, code])).toEqual([
      ['ipv4', 24, 'WIRE_CHECKSUM'],
      ['udp', 40, 'WIRE_CHECKSUM'],
    ])
    expect(dissect(damaged, { verifyChecksums: false }).errors).toEqual([])
  })

  it('ends at a malformed layer and gives its octets as payload', () => {
    const damaged = frame('udp over ipv4')
    damaged[14] = 0x44
    const { layers, payload, payloadOffset, errors } = dissect(damaged)
    expect(layers.map(({ protocol }) => protocol)).toEqual(['ethernet'])
    expect(payloadOffset).toBe(14)
    expect(payload.length).toBe(damaged.length - 14)
    expect(errors).toMatchObject([{ layer: 'ipv4', offset: 14, code: 'WIRE_MALFORMED' }])
  })

  it('reads no transport header from a later fragment, and verifies none in the first', () => {
    const later = dissect(frame('ipv4 last fragment'))
    expect(later.layers.map(({ protocol }) => protocol)).toEqual(['ethernet', 'ipv4'])
    const header = { ...ipv4Header({ ...ends, protocol: 17 }), moreFragments: true }
    const first = encodePacket([layer(ipv4, header)], fromHex('0001 0002 0100 dead 0000000000000000'))
    const { errors } = dissect(first, { start: linkTypes.ipv4 })
    expect(errors).toMatchObject([{ layer: 'udp', code: 'WIRE_TRUNCATED' }])
  })

  it('starts at any link type', () => {
    const ip = frame('udp over ipv6').slice(14)
    const names = (start: number, packet: Uint8Array): string[] =>
      dissect(packet, { start }).layers.map(({ protocol }) => protocol)
    expect(names(linkTypes.raw, ip)).toEqual(['ipv6', 'udp'])
    expect(names(linkTypes.ipv6, ip)).toEqual(['ipv6', 'udp'])
    const cooked = { packetType: 0, hardware: 1, address: new Uint8Array(6), type: 0x86dd, interfaceIndex: 2 }
    expect(names(linkTypes.linuxSll2, encodePacket([layer(linuxSll2, cooked)], ip))).toEqual([
      'sll2',
      'ipv6',
      'udp',
    ])
    expect(names(linkTypes.null, encodePacket([layer(nullLink, { type: 0x86dd })], ip))).toEqual([
      'null',
      'ipv6',
      'udp',
    ])
    expect(dissect(ip, { start: 147 }).errors).toMatchObject([{ code: 'WIRE_UNSUPPORTED', offset: 0 }])
  })

  it('reads what a larger table adds', () => {
    const greeting: Codec<{ readonly version: number }> = {
      name: 'greeting',
      encodingLength: () => 1,
      encode: ({ version }, packet) => {
        packet[0] = version
      },
      decode: (packet) => ({ header: { version: packet[0] ?? 0 }, payload: packet.subarray(1) }),
    }
    const protocols = {
      ...nextProtocols,
      udpPorts: new Map([[9999, dissector(greeting, (_, { etherTypes }) => etherTypes.get(0x0800))]]),
    }
    const { layers, errors } = dissect(frame('udp over ipv4'), { protocols })
    expect(layers.at(-1)).toMatchObject({
      protocol: 'greeting',
      header: { version: 'h'.charCodeAt(0) },
      offset: 42,
    })
    expect(errors).toMatchObject([{ layer: 'ipv4', offset: 51 }])
  })

  it('gives up on tunnels without end', () => {
    const header = ipv4Header({ ...ends, protocol: 4 })
    const nested = encodePacket(Array.from({ length: 100 }, () => layer(ipv4, header)))
    const { layers, errors } = dissect(nested, { start: linkTypes.ipv4 })
    expect(layers.length).toBe(32)
    expect(errors).toMatchObject([{ code: 'WIRE_UNSUPPORTED' }])
  })

  it('throws for no octets whatever', () => {
    const start = fc.constantFrom(...Object.values(linkTypes))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), start, (bytes, start) => {
        JSON.stringify(dissectionToJson(dissect(bytes, { start })))
      }),
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...veth.values()),
        fc.nat({ max: 200 }),
        fc.nat({ max: 255 }),
        (bytes, at, value) => {
          const damaged = bytes.slice()
          if (at < damaged.length) damaged[at] = value
          JSON.stringify(dissectionToJson(dissect(damaged)))
        },
      ),
    )
  })
})

describe('dissectionToJson', () => {
  it('is plain JSON with octets as hex', () => {
    const packet = encodePacket(
      [layer(ethernet, ethernetHeader({ ...macs, type: 0x88b5 }))],
      Uint8Array.of(0xca, 0xfe),
    )
    expect(dissectionToJson(dissect(packet))).toEqual({
      layers: [{ protocol: 'ethernet', offset: 0, length: 14, header: { ...macs, tags: [], type: 0x88b5 } }],
      payload: 'cafe',
      errors: [],
    })
    expect(JSON.stringify(dissectionToJson(dissect(frame('ipv4 record route option'))))).toContain('"data":"')
  })
})
