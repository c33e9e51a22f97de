import type { RouteQuery } from '@podfabric/kernel'
import {
  OPEN_PORT,
  type PacketScenario,
  type ScenarioStep,
  type Traffic,
  type TrafficStep,
} from '@podfabric/kernel/testing'
import { type Ip, ip } from '@podfabric/netaddr'
import fc from 'fast-check'
import { type Disturbance, disturb, disturbance, lonely } from './disturbances.ts'
import { address4, address6, type Topology, topologyOf, topologyPlan } from './topology.ts'

/** A packet, told without knowing the network. */
interface Shot {
  readonly kind: 'echo' | 'datagram' | 'connect'
  readonly at: number
  readonly target: number
  /** What of the target: its address, somebody who is not there, a broadcast, … */
  readonly which: number
  readonly v6: boolean
  readonly size: number
  readonly ttl: number
  readonly dontFragment: boolean
  /** Whether a source address is chosen, and which. */
  readonly source: number
  readonly closed: boolean
  readonly answered: boolean
}

const shot: fc.Arbitrary<Shot> = fc.record({
  kind: fc.constantFrom('echo', 'echo', 'echo', 'datagram', 'datagram', 'datagram', 'connect'),
  at: fc.nat(5),
  target: fc.nat(11),
  which: fc.nat(15),
  v6: fc.boolean(),
  size: fc.oneof(
    { weight: 4, arbitrary: fc.nat(60) },
    { weight: 3, arbitrary: fc.constantFrom(1200, 1232, 1233, 1252, 1253, 1372, 1373, 1452, 1472, 1473) },
    { weight: 2, arbitrary: fc.integer({ min: 500, max: 3000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 3000, max: 9000 }) },
  ),
  ttl: fc.oneof(
    { weight: 3, arbitrary: fc.constant(64) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 4 }) },
  ),
  dontFragment: fc.boolean(),
  source: fc.nat(15),
  closed: fc.constantFrom(false, false, false, true),
  answered: fc.boolean(),
})

type Act = { readonly shot: Shot } | { readonly disturbance: Disturbance }

const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: shot.map((one) => ({ shot: one })) },
    { weight: 1, arbitrary: disturbance.map((one) => ({ disturbance: one })) },
  ),
  { minLength: 1, maxLength: 8, size: 'max' },
)

/** Packets across a network of two to six namespaces. */
export const packetScenario: fc.Arbitrary<PacketScenario> = fc
  .record({
    plan: topologyPlan,
    disturbances: fc.array(disturbance, { maxLength: 5, size: 'max' }),
    acts,
  })
  .map(({ plan, disturbances, acts: done }) => {
    const topology = topologyOf(plan)
    const what = [...disturbances, ...done.flatMap((act) => ('shot' in act ? [] : [act.disturbance]))]
    const tracks = what.some((one) => one.what === 'filter' || one.what === 'nat')
    const steps: (ScenarioStep | TrafficStep)[] = [...topology.steps]
    for (const one of disturbances) steps.push(...disturb(topology, one))
    for (const [i, act] of done.entries()) {
      if ('shot' in act) steps.push(fire(topology, tracks ? small(act.shot) : act.shot, i))
      else steps.push(...disturb(topology, act.disturbance))
    }
    return { namespaces: topology.namespaces, steps, lookups: lookupsOf(topology) }
  })

/** Where connections are followed, Linux puts fragments together on bridges too, and cuts them as they came. */
function small(one: Shot): Shot {
  return { ...one, size: one.size % 400 }
}

function fire({ namespaces, members }: Topology, plan: Shot, index: number): TrafficStep {
  const { kind, v6, size, ttl, dontFragment } = plan
  const at = nth(namespaces, plan.at)
  const target = nth(members, plan.target)
  const address = v6 ? address6 : address4
  const own = members.filter((member) => member.at === at)
  const chosen = plan.source % 4 === 0 ? nth(own, plan.source >> 2) : undefined
  const destination = ip(
    nth(
      [
        ...Array.from({ length: 9 }, () => address(target.network, target.host)),
        address(target.network, 77),
        address(target.network, 50),
        nth(lonely[v6 ? 6 : 4], plan.target),
        nth(lonely[v6 ? 6 : 4], plan.target),
        v6 ? 'fd99::1' : '10.99.0.1',
        v6 ? 'fd09::2' : '10.9.0.2',
        v6
          ? 'fd09::1'
          : nth(['10.9.0.1', `10.${target.network}.0.255`, '127.0.0.1', '240.0.0.1'], plan.target),
      ],
      plan.which,
    ),
  )
  const any: Ip = ip(v6 ? '::' : '0.0.0.0')
  const from = {
    address: chosen === undefined ? any : ip(address(chosen.network, chosen.host)),
    port: 41_000 + index,
  }
  const to = { address: destination, port: plan.closed ? 9 : OPEN_PORT }
  const traffic: Traffic =
    kind === 'echo'
      ? {
          kind,
          destination,
          size,
          ttl,
          dontFragment,
          ...(chosen === undefined ? {} : { source: from.address }),
        }
      : kind === 'datagram'
        ? { kind, from, to, size, ttl, dontFragment, answered: plan.answered }
        : { kind, from, to }
  return { at, traffic }
}

function nth<T>(list: readonly T[], index: number): T {
  return list[index % list.length] as T
}

function lookupsOf({ members }: Topology): readonly RouteQuery[] {
  const asked = members
    .slice(0, 4)
    .flatMap(({ network, host }) => [address4(network, host), address6(network, host)])
  return [...asked, '10.40.0.1', 'fd40::1', '10.99.0.1'].map((destination) => ({
    destination: ip(destination),
  }))
}
