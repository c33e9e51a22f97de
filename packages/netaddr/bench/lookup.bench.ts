import { IPv4, IPv4CidrRange } from 'ip-num'
import ipaddr from 'ipaddr.js'
import {
  contains,
  type Ip,
  Ipv4Lpm,
  Ipv6Lpm,
  ipv4FromNumber,
  NO_ROUTE,
  PrefixMap,
  parseIpv4,
  parseIpv6,
  prefix,
  prefixFrom,
} from '../src/index.ts'
import { compare } from './ratio.ts'

const ROUTES = 5000
const table = new Ipv4Lpm()
const map = new PrefixMap<number>()
const exact = new Map<number, number>()
const table6 = new Ipv6Lpm()
for (let i = 0; i < ROUTES; i++) {
  const network = 0x0a00_0000 + i * 256
  table.set(network, 24, i)
  exact.set(network >>> 8, i)
  map.set(prefixFrom(ipv4FromNumber(network), 24), i)
  table6.set(Uint32Array.of(0xfd00_0000, i, 0, 0), 64, i)
}
table.set(0, 0, ROUTES)

/** Addresses in no order that caches would like. */
const addresses = Uint32Array.from(
  { length: 4096 },
  (_, i) => 0x0a00_0000 + ((Math.imul(i, 0x9e37_79b1) >>> 8) % (ROUTES * 256)),
)
const texts = Array.from(addresses.subarray(0, 256), (address) => ipv4FromNumber(address))
const texts6 = texts.map((_, i) => `fd00:244:${i.toString(16)}::${((i * 7919) & 0xffff).toString(16)}`)

const loop =
  (each: (i: number) => number) =>
  (count: number): number => {
    let sum = 0
    for (let i = 0; i < count; i++) sum += each(i)
    return sum
  }

compare(`longest prefix among ${ROUTES} /24 routes and a default`, [
  { name: 'Ipv4Lpm', run: loop((i) => table.lookup(addresses[i & 4095] as number)) },
  {
    name: 'exact Map on the first 24 bits, one length',
    run: loop((i) => exact.get((addresses[i & 4095] as number) >>> 8) ?? NO_ROUTE),
  },
  { name: 'PrefixMap, canonical strings', run: loop((i) => map.lookup(texts[i & 255] as Ip) ?? NO_ROUTE) },
])
compare(`longest prefix among ${ROUTES} IPv6 /64 routes`, [
  { name: 'Ipv6Lpm', run: loop((i) => table6.lookup(0xfd00_0000, i % ROUTES, 1, 2)) },
  { name: 'exact Map on one word', run: loop((i) => exact.get(0x0a_0000 + (i % ROUTES)) ?? NO_ROUTE) },
])
compare('IPv4 address parsed', [
  { name: 'parseIpv4', run: loop((i) => parseIpv4(texts[i & 255] as string).length) },
  { name: 'ipaddr.js', run: loop((i) => ipaddr.IPv4.parse(texts[i & 255] as string).octets.length) },
  { name: 'ip-num', run: loop((i) => (new IPv4(texts[i & 255] as string).bitSize > 0 ? 1 : 0)) },
])
compare('IPv6 address parsed and made canonical', [
  { name: 'parseIpv6', run: loop((i) => parseIpv6(texts6[i & 255] as string).length) },
  {
    name: 'ipaddr.js',
    run: loop((i) => ipaddr.IPv6.parse(texts6[i & 255] as string).toRFC5952String().length),
  },
])
const network = prefix('10.0.0.0/12')
const networkIpaddr = ipaddr.IPv4.parseCIDR(network)
const networkIpNum = IPv4CidrRange.fromCidr(network)
compare('address in network, from text', [
  { name: 'contains', run: loop((i) => (contains(network, texts[i & 255] as Ip) ? 1 : 0)) },
  {
    name: 'ipaddr.js',
    run: loop((i) => (ipaddr.IPv4.parse(texts[i & 255] as string).match(networkIpaddr) ? 1 : 0)),
  },
  { name: 'ip-num', run: loop((i) => (networkIpNum.contains(new IPv4(texts[i & 255] as string)) ? 1 : 0)) },
])
