import fc from 'fast-check'
import {
  type Ip,
  type Ipv4,
  type Ipv6,
  ipFromBytes,
  ipv4FromNumber,
  type Prefix,
  prefixFrom,
} from '../src/index.ts'

export const u32 = fc.nat({ max: 0xffff_ffff })
export const anyIpv4: fc.Arbitrary<Ipv4> = fc
  .oneof(u32, fc.constantFrom(0, 0xffff_ffff, 0x0a00_0001))
  .map(ipv4FromNumber)

/** Zero groups are common, as in real addresses. */
const group = fc.oneof(fc.constant(0), fc.nat({ max: 0xffff }))
export const ipv6Bytes = fc
  .array(group, { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((value) => [value >>> 8, value & 255])))
export const anyIpv6: fc.Arbitrary<Ipv6> = ipv6Bytes.map((bytes) => ipFromBytes(bytes, 0, 6))
export const anyIp: fc.Arbitrary<Ip> = fc.oneof(anyIpv4, anyIpv6)

export const anyPrefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc.tuple(anyIpv4, fc.nat({ max: 32 })).map(([ip, length]) => prefixFrom(ip, length)),
  fc.tuple(anyIpv6, fc.nat({ max: 128 })).map(([ip, length]) => prefixFrom(ip, length)),
)

/** Prefixes close to each other, so that they overlap, touch and nest. */
export const nearPrefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc
    .tuple(fc.nat({ max: 255 }), fc.integer({ min: 24, max: 32 }))
    .map(([low, length]) => prefixFrom(ipv4FromNumber(0x0a00_0000 + low), length)),
  fc.tuple(fc.nat({ max: 255 }), fc.integer({ min: 120, max: 128 })).map(([low, length]) => {
    const bytes = new Uint8Array(16)
    bytes[0] = 0xfd
    bytes[15] = low
    return prefixFrom(ipFromBytes(bytes), length)
  }),
)
