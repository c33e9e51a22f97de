import { mac, parseIpv4 } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { frames } from '../test/frames.ts'
import { dissect } from './dissect.ts'
import { ethernet, ethernetHeader } from './ethernet.ts'
import { type Formatter, formatPacket, formatters } from './format.ts'
import { ipv4, ipv4Header } from './ipv4.ts'
import { linkTypes } from './link-type.ts'
import { encodePacket, layer } from './packet.ts'

const veth = frames('linux-veth.hex')
const line = (name: string): string => formatPacket(dissect(veth.get(name) ?? new Uint8Array()))

describe('formatPacket', () => {
  it.each([
    ['arp request', 'ARP, Request who-has 10.0.0.2 tell 10.0.0.1'],
    ['arp reply', 'ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02'],
    ['icmp echo request', 'IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 17900, seq 1, length 64'],
    ['icmp port unreachable', 'IP 10.0.0.2 > 10.0.0.1: ICMP port unreachable, length 45'],
    ['icmpv6 port unreachable', 'IP6 fd00::2 > fd00::1: ICMP6, destination unreachable, port, length 66'],
    [
      'neighbor solicitation',
      'IP6 fd00::1 > ff02::1:ff00:2: ICMP6, neighbor solicitation, who has fd00::2, source link-address 02:00:00:00:00:01, length 32',
    ],
    [
      'multicast listener report, hop-by-hop router alert',
      'IP6 :: > ff02::16: hop-by-hop: ICMP6, type 143, code 0, length 28',
    ],
    ['ipv4 last fragment', 'IP 10.0.0.1 > 10.0.0.2: fragment 2960, protocol 1, length 48'],
    ['udp over ipv4', 'IP 10.0.0.1.51777 > 10.0.0.2.9999: UDP, length 9'],
    ['udp over ipv6', 'IP6 fd00::1.49326 > fd00::2.9999: UDP, length 10'],
  ])('writes the frame "%s" in one line', (name, expected) => {
    expect(line(name)).toBe(expected)
  })

  it('writes TCP flags, numbers and options', () => {
    expect(line('tcp syn')).toMatch(
      /^IP 10\.0\.0\.1\.50316 > 10\.0\.0\.2\.8080: Flags \[S\], seq \d+, win 64240, options \[mss 1460,sackOK,TS val 3122346055 ecr 0,nop,wscale 10\], length 0$/,
    )
    expect(line('tcp syn-ack')).toContain('Flags [S.], seq ')
    expect(line('tcp data')).toMatch(/Flags \[P\.\], seq (\d+):\d+, ack \d+, win 63, .*, length 4$/)
  })

  it('puts what is wrong at the end', () => {
    const damaged = veth.get('udp over ipv4')?.slice() ?? new Uint8Array()
    damaged[41] = 0
    expect(formatPacket(dissect(damaged))).toBe(
      'IP 10.0.0.1.51777 > 10.0.0.2.9999: UDP, length 9 [udp at octet 6: the checksum is wrong]',
    )
    expect(formatPacket(dissect(damaged.subarray(0, 5)))).toBe(
      '5 octets [ethernet at octet 5: 14 octets needed, 5 there]',
    )
  })

  it('shows the link on request, and VLAN tags always', () => {
    const tag = { protocol: 0x8100, priority: 0, dropEligible: false, id: 7 } as const
    const header = ethernetHeader({
      source: mac('02:00:00:00:00:01'),
      destination: mac('02:00:00:00:00:02'),
      type: 0x88cc,
    })
    const packet = encodePacket([layer(ethernet, { ...header, tags: [tag] })], new Uint8Array(3))
    expect(formatPacket(dissect(packet))).toBe('vlan 7, p 0, ethertype lldp (0x88cc), length 3')
    expect(formatPacket(dissect(packet), { link: true })).toBe(
      '02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype lldp (0x88cc), vlan 7, p 0, length 3',
    )
  })

  it('strings the packets of a tunnel together, and uses formatters that others add', () => {
    const inner = ipv4Header({
      source: parseIpv4('10.244.1.2'),
      destination: parseIpv4('10.244.2.3'),
      protocol: 132,
    })
    const outer = ipv4Header({
      source: parseIpv4('10.0.0.1'),
      destination: parseIpv4('10.0.0.2'),
      protocol: 4,
    })
    const dissection = dissect(encodePacket([layer(ipv4, outer), layer(ipv4, inner)]), {
      start: linkTypes.ipv4,
    })
    expect(formatPacket(dissection)).toBe(
      'IP 10.0.0.1 > 10.0.0.2: IP 10.244.1.2 > 10.244.2.3: protocol 132, length 0',
    )
    const short: Formatter = (header: { readonly protocol: number }) => `protocol ${header.protocol}`
    const options = { formatters: new Map([...formatters, ['ipv4', short]]) }
    expect(formatPacket(dissection, options)).toBe('protocol 4: protocol 132')
  })
})
