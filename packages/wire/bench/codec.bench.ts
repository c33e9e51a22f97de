import { mac, parseIpv4 } from '@podfabric/netaddr'
import { type Contender, compare, type Measured } from '../../netaddr/bench/ratio.ts'
import {
  dissect,
  encodePacket,
  ethernet,
  ethernetHeader,
  etherTypeAt,
  flowHashAt,
  foldChecksum,
  internetChecksum,
  ipv4,
  ipv4DestinationAt,
  ipv4HeaderLengthAt,
  ipv4ProtocolAt,
  layer,
  toHex,
  u32At,
  udp,
} from '../src/index.ts'
import { ipv4Header } from '../src/ipv4.ts'
import { destinationPortAt } from '../src/peek.ts'
import { type GoOperation, measureGo } from './go.ts'

const loop = (name: string, each: (i: number) => number): Contender => ({
  name,
  run(count) {
    let sum = 0
    for (let i = 0; i < count; i++) sum += each(i)
    return sum
  },
})

const payload = Uint8Array.from({ length: 64 }, (_, i) => i)
const link = ethernetHeader({
  source: mac('02:00:00:00:00:01'),
  destination: mac('02:00:00:00:00:02'),
  type: 0x0800,
})
const ip = ipv4Header({ source: parseIpv4('10.244.1.2'), destination: parseIpv4('10.244.2.3'), protocol: 17 })
const ports = { sourcePort: 40_000, destinationPort: 9999 }
const packet = encodePacket([layer(ethernet, link), layer(ipv4, ip), layer(udp, ports)], payload)
const view = new DataView(packet.buffer, packet.byteOffset)

const go = measureGo(toHex(packet))
if (typeof go === 'string') console.log(go)
const fromGo = (name: string, operation: GoOperation): Measured[] =>
  typeof go === 'string' ? [] : go(name, operation)

const data = Uint8Array.from({ length: 1400 }, (_, i) => i * 7)
const dataView = new DataView(data.buffer)
const target = new Uint8Array(1400)
function byDefinition(): number {
  let sum = 0
  for (let i = 0; i < 1400; i += 2) sum += dataView.getUint16(i)
  return foldChecksum(sum)
}
compare(
  'checksum of 1400 octets',
  [
    loop('internetChecksum', () => internetChecksum(data)),
    loop('DataView, word by word', byDefinition),
    loop('copying them', () => {
      target.set(data)
      return target[7] as number
    }),
  ],
  fromGo('Go, 64 bit add with carry', 'checksum'),
)

compare(
  'Ethernet, IPv4 and UDP read from a 106 octet frame',
  [
    loop('offset readers: types, destination, port', () => {
      if (etherTypeAt(packet, 0) !== 0x0800 || ipv4ProtocolAt(packet, 14) !== 17) return 0
      return ipv4DestinationAt(packet, 14) + destinationPortAt(packet, 14 + ipv4HeaderLengthAt(packet, 14))
    }),
    loop('the same by DataView', () => {
      if (view.getUint16(12) !== 0x0800 || view.getUint8(23) !== 17) return 0
      return view.getUint32(30) + view.getUint16(14 + ((view.getUint8(14) & 15) << 2) + 2)
    }),
    loop('codecs, nothing verified', () => {
      const outer = ethernet.decode(packet)
      const inner = ipv4.decode(outer.payload, 'unchecked')
      return udp.decode(inner.payload, 'unchecked').header.destinationPort
    }),
    loop('dissect, everything verified', () => dissect(packet).layers.length),
  ],
  [
    ...fromGo('gopacket, DecodeFromBytes on kept layers', 'decode'),
    ...fromGo('gopacket, NewPacket', 'newpacket'),
  ],
)

compare(
  'the same frame encoded, checksums computed',
  [
    loop(
      'encodePacket',
      () => encodePacket([layer(ethernet, link), layer(ipv4, ip), layer(udp, ports)], payload).length,
    ),
  ],
  fromGo('gopacket, SerializeLayers', 'serialize'),
)

const flows = new Map<string, number>()
const slots = new Uint32Array(1024)
compare('a flow found by addresses, protocol and ports', [
  loop('flowHashAt and a typed array', () => slots[flowHashAt(packet, 14, packet.length) & 1023] as number),
  loop('Map with a string key', () => {
    const key = `${u32At(packet, 26)}:${u32At(packet, 30)}:${u32At(packet, 34)}:${packet[23]}`
    return flows.get(key) ?? 0
  }),
])
