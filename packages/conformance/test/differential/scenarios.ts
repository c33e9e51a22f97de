import type { Operation, RouteQuery } from '@podfabric/kernel'
import { placeOf, type Scenario, type ScenarioStep } from '@podfabric/kernel/testing'
import { ifAddress, ip, mac } from '@podfabric/netaddr'
import fc from 'fast-check'
import { observedSysctls, operation } from './operations.ts'

const in_ = (at: string, ...operations: readonly Operation[]): readonly ScenarioStep[] =>
  operations.map((one) => ({ at, operation: one }))

/** No address that comes by itself, and later than the operation that brings it. */
const quiet: readonly ScenarioStep[] = ['a', 'b'].flatMap((at) =>
  in_(at, { op: 'sysctl.set', name: 'net.ipv6.conf.default.addr_gen_mode', value: '1' }),
)

/** `v0` in `a` with its peer `v1` in `b`, and the bridge `br0` with the port `v2`, whose peer is `v3`. */
const furnished: readonly ScenarioStep[] = [
  ...quiet,
  ...in_(
    'a',
    { op: 'link.set', name: 'lo', change: { up: true } },
    {
      op: 'link.add',
      link: {
        kind: 'veth',
        name: 'v0',
        mac: mac('02:00:00:00:0a:00'),
        up: true,
        peer: { name: 'v1', mac: mac('02:00:00:00:0a:01'), netns: placeOf('b') },
      },
    },
    { op: 'link.add', link: { kind: 'bridge', name: 'br0', mac: mac('02:00:00:00:0b:00'), up: true } },
    {
      op: 'link.add',
      link: {
        kind: 'veth',
        name: 'v2',
        mac: mac('02:00:00:00:0a:02'),
        up: true,
        bridge: 'br0',
        peer: { name: 'v3', mac: mac('02:00:00:00:0a:03') },
      },
    },
    { op: 'address.add', address: { link: 'v0', address: ifAddress('10.1.0.1/24') } },
    { op: 'address.add', address: { link: 'v0', address: ifAddress('fd01::1/64'), noDad: true } },
  ),
  ...in_('b', { op: 'link.set', name: 'v1', change: { up: true } }),
]

const lookups: readonly RouteQuery[] = [
  { destination: ip('10.1.0.7') },
  { destination: ip('10.1.0.1') },
  { destination: ip('10.9.0.1') },
  { destination: ip('10.9.0.1'), mark: 1 },
  { destination: ip('10.9.0.1'), source: ip('10.1.0.1') },
  { destination: ip('10.9.0.1'), source: ip('10.1.0.7'), input: 'v0' },
  { destination: ip('8.8.8.8') },
  { destination: ip('fd01::7') },
  { destination: ip('fd01::1') },
  { destination: ip('fd09::1') },
  { destination: ip('fd09::1'), mark: 1 },
  { destination: ip('fd09::1'), source: ip('fd01::7'), input: 'v0' },
  { destination: ip('2001:db8::1') },
]

/** Operations in two namespaces of one node. */
export const operationScenario: fc.Arbitrary<Scenario> = fc
  .record({
    bare: fc.constantFrom(false, false, false, true),
    steps: fc.array(
      fc.record({
        at: fc.oneof({ weight: 4, arbitrary: fc.constant('a') }, { weight: 1, arbitrary: fc.constant('b') }),
        operation,
      }),
      { minLength: 1, maxLength: 16, size: 'max' },
    ),
  })
  .map(({ bare, steps }) => ({
    namespaces: ['a', 'b'],
    steps: [...(bare ? quiet : furnished), ...steps],
    lookups,
    sysctls: observedSysctls,
  }))
