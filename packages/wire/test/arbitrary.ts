import { type Ipv4, type Ipv6, ipFromBytes, ipv4FromNumber, type Mac, macFromBytes } from '@podfabric/netaddr'
import fc from 'fast-check'

export const u8 = fc.nat({ max: 0xff })
export const u16 = fc.nat({ max: 0xffff })
export const u32 = fc.nat({ max: 0xffff_ffff })
export const bits = (count: number) => fc.nat({ max: 2 ** count - 1 })
export const octets = (maxLength: number) => fc.uint8Array({ maxLength })
export const octetsOf = (...lengths: number[]) =>
  fc.constantFrom(...lengths).chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))

export const mac: fc.Arbitrary<Mac> = octetsOf(6).map((bytes) => macFromBytes(bytes))
export const ipv4Address: fc.Arbitrary<Ipv4> = u32.map(ipv4FromNumber)
export const ipv6Address: fc.Arbitrary<Ipv6> = octetsOf(16).map((bytes) => ipFromBytes(bytes, 0, 6))

/** Addresses for a transport checksum, of either family. */
export const addresses = fc.oneof(
  fc.record({ source: ipv4Address, destination: ipv4Address }),
  fc.record({ source: ipv6Address, destination: ipv6Address }),
)
