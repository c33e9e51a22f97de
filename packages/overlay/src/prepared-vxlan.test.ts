import { type Ip, ip, ipv4FromNumber, ipv6FromWords, isV4 } from '@podfabric/netaddr'
import { encodePacket, ipProtocols, ipv4, ipv4Header, ipv6, ipv6Header, layer, udp } from '@podfabric/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { prepareVxlan } from './prepared-vxlan.ts'
import { vxlan } from './vxlan.ts'

const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const ipv4Pair = fc.tuple(u32, u32).map(([a, b]): [Ip, Ip] => [ipv4FromNumber(a), ipv4FromNumber(b)])
const ipv6Address = fc.uint32Array({ minLength: 4, maxLength: 4 }).map((words): Ip => ipv6FromWords(words))

describe('prepareVxlan', () => {
  it('writes what the codecs write, for any peer and inner frame', () => {
    const addresses = fc.oneof(ipv4Pair, fc.tuple(ipv6Address, ipv6Address))
    const vni = fc.integer({ min: 0, max: 0xff_ffff })
    fc.assert(
      fc.property(
        addresses,
        vni,
        u16,
        u16,
        u16,
        fc.uint8Array({ maxLength: 60 }),
        (pair, vni, port, from, id, frame) => {
          const [source, destination] = pair
          const prepared = prepareVxlan({ source, destination, vni, udpPort: port })
          const packet = new Uint8Array(3 + prepared.length + frame.length).fill(0xa5)
          packet.set(frame, 3 + prepared.length)
          prepared.write(new DataView(packet.buffer), 3 + prepared.length, frame.length, from, id)
          expect(packet.subarray(3)).toEqual(byCodecs(source, destination, vni, port, from, id, frame))
          expect([...packet.subarray(0, 3)]).toEqual([0xa5, 0xa5, 0xa5])
        },
      ),
    )
  })

  it('refuses ends of two families', () => {
    const peer = { source: ip('10.0.0.1'), destination: ip('fd00::1'), vni: 1, udpPort: 8472 }
    expect(() => prepareVxlan(peer)).toThrow(RangeError)
  })
})

function byCodecs(
  source: Ip,
  destination: Ip,
  vni: number,
  port: number,
  from: number,
  id: number,
  frame: Uint8Array,
) {
  const ports = { sourcePort: from, destinationPort: port }
  const outer = outerLayer(source, destination, id)
  return encodePacket([outer, layer(udp, ports, 'unchecked'), layer(vxlan, { vni })], frame)
}

function outerLayer(source: Ip, destination: Ip, identification: number) {
  if (isV4(source) && isV4(destination)) {
    const header = { source, destination, protocol: ipProtocols.udp, ttl: 64, identification }
    return layer(ipv4, ipv4Header(header))
  }
  if (isV4(source) || isV4(destination)) throw new Error('two families')
  return layer(ipv6, ipv6Header({ source, destination, nextHeader: ipProtocols.udp, hopLimit: 64 }))
}
