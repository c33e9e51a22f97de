import {
  type IfAddress,
  type Ip,
  ifAddress,
  ip,
  type Mac,
  mac,
  type Prefix,
  prefix,
} from '@podfabric/netaddr'
import fc from 'fast-check'

// Few values of each sort, so that operations meet what others made.

export const linkNames = ['v0', 'v1', 'v2', 'v3', 'br0', 'br1', 'vx0', 'lo', 'ghost'] as const

/** Mostly links that scenarios begin with. */
export const linkName = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('v0', 'v2', 'br0') },
  { weight: 3, arbitrary: fc.constantFrom(...linkNames) },
)

export const unicastMac = fc.constantFrom<Mac>(
  mac('02:00:00:00:00:01'),
  mac('02:00:00:00:00:02'),
  mac('02:00:00:00:00:0a'),
)

export const anyMac = fc.oneof(
  { weight: 8, arbitrary: unicastMac },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Mac>(
      mac('00:00:00:00:00:00'),
      mac('ff:ff:ff:ff:ff:ff'),
      mac('01:00:5e:00:00:05'),
    ),
  },
)

export const address4 = fc.constantFrom<IfAddress>(
  ...['10.1.0.1/24', '10.1.0.2/24', '10.1.0.1/32', '10.1.0.9/16', '10.2.0.1/24', '169.254.7.1/16'].map(
    (text) => ifAddress(text),
  ),
)
const oddAddress4 = fc.constantFrom<IfAddress>(
  ...['127.0.0.2/8', '0.0.0.0/0', '224.0.0.5/32', '10.3.0.0/31', '255.255.255.255/32'].map((text) =>
    ifAddress(text),
  ),
)
export const address6 = fc.constantFrom<IfAddress>(
  ...['fd01::1/64', 'fd01::2/64', 'fd01::1/128', 'fd02::1/64', 'fe80::77/64'].map((text) => ifAddress(text)),
)
const oddAddress6 = fc.constantFrom<IfAddress>(
  ...['::1/128', 'ff02::5/64', '::/0'].map((text) => ifAddress(text)),
)

export const ifAddresses = fc.oneof(
  { weight: 6, arbitrary: address4 },
  { weight: 1, arbitrary: oddAddress4 },
  { weight: 5, arbitrary: address6 },
  { weight: 1, arbitrary: oddAddress6 },
)

export const ip4 = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom<Ip>(
      ip('10.1.0.1'),
      ip('10.1.0.2'),
      ip('10.1.0.7'),
      ip('10.2.0.7'),
      ip('10.9.0.1'),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Ip>(
      ip('127.0.0.1'),
      ip('0.0.0.0'),
      ip('224.0.0.5'),
      ip('10.1.0.255'),
      ip('255.255.255.255'),
    ),
  },
)

export const ip6 = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom<Ip>(ip('fd01::1'), ip('fd01::2'), ip('fd01::7'), ip('fd02::7'), ip('fd09::1')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Ip>(ip('::1'), ip('::'), ip('ff02::5'), ip('fe80::77'), ip('fe80::99')),
  },
)

export const prefix4 = fc.constantFrom<Prefix>(
  ...['0.0.0.0/0', '10.9.0.0/16', '10.9.0.1/32', '10.1.0.0/24', '10.2.0.0/24', '10.0.0.0/8'].map((text) =>
    prefix(text),
  ),
)
export const prefix6 = fc.constantFrom<Prefix>(
  ...['::/0', 'fd09::/16', 'fd09::1/128', 'fd01::/64', 'fd02::/64'].map((text) => prefix(text)),
)

/** A record of which each optional field is there now and then. */
export function maybe<T>(arbitrary: fc.Arbitrary<T>, weight = 3): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: weight })
}

/** The object without the fields that are undefined. */
export function dense<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}
