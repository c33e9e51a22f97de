import { ipv4FromNumber, mac, parseIpv4, ZERO_MAC } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mac as anyMac, ipv4Address, u16 } from '../test/arbitrary.ts'
import { frames } from '../test/frames.ts'
import { testCodec } from '../test/test-codec.ts'
import { ARP_REPLY, ARP_REQUEST, arp } from './arp.ts'

const veth = frames('linux-veth.hex')
const request = veth.get('arp request')?.subarray(14) ?? new Uint8Array()
const reply = veth.get('arp reply')?.subarray(14) ?? new Uint8Array()

testCodec(arp, {
  examples: [
    {
      header: {
        operation: ARP_REQUEST,
        senderMac: mac('02:00:00:00:00:01'),
        senderIp: parseIpv4('10.0.0.1'),
        targetMac: ZERO_MAC,
        targetIp: parseIpv4('10.0.0.2'),
      },
      checksums: undefined,
    },
  ],
  captured: [
    { bytes: request, checksums: undefined },
    { bytes: reply, checksums: undefined },
  ],
  unchecked: undefined,
  arbitrary: fc.record({
    header: fc.record({
      operation: u16,
      senderMac: anyMac,
      senderIp: ipv4Address,
      targetMac: anyMac,
      targetIp: ipv4Address,
    }),
    checksums: fc.constant(undefined),
  }),
})

describe('arp', () => {
  it('reads what Linux sends', () => {
    expect(arp.decode(reply).header).toEqual({
      operation: ARP_REPLY,
      senderMac: '02:00:00:00:00:02',
      senderIp: '10.0.0.2',
      targetMac: '02:00:00:00:00:01',
      targetIp: ipv4FromNumber(0x0a000001),
    })
  })

  it('leaves the padding of a minimum frame out of its payload', () => {
    const padded = new Uint8Array(46)
    padded.set(request)
    expect(arp.decode(padded).payload.length).toBe(0)
  })

  it('names what it does not support', () => {
    const other = request.slice()
    other[1] = 6
    expect(() => arp.decode(other)).toThrow(
      expect.objectContaining({ code: 'WIRE_UNSUPPORTED', protocol: 'arp', offset: 0 }),
    )
    const short = request.slice()
    short[4] = 8
    expect(() => arp.decode(short)).toThrow(expect.objectContaining({ code: 'WIRE_MALFORMED', offset: 4 }))
  })
})
