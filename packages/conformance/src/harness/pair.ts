import { familyOf, type Ip } from '@podfabric/netaddr'
import { CaseFailure } from '../failure.ts'
import { type Attachment, addressesOf } from './attachment.ts'
import type { Harness } from './harness.ts'

/** One way between two pods: from one of them to an address of the other, of a family that both have. */
export interface Way {
  readonly from: Attachment
  readonly to: Attachment
  readonly address: Ip
}

/** Two pods on the first node, every way between them. */
export async function pairOnOneNode(t: Harness): Promise<readonly Way[]> {
  return waysBetween(await t.add(await t.pod()), await t.add(await t.pod()))
}

/** A pod on each of two nodes, every way between them; each has been gone once, for nodes need a while to learn of each other. */
export async function pairOnTwoNodes(t: Harness): Promise<readonly Way[]> {
  const [first, second] = t.nodes
  const ways = waysBetween(await t.add(await t.pod(first)), await t.add(await t.pod(second)))
  for (const { from, address } of ways) await t.reach(from.pod, address)
  return ways
}

function waysBetween(a: Attachment, b: Attachment): readonly Way[] {
  const ways = [...to(a, b), ...to(b, a)]
  if (ways.length === 0) throw new CaseFailure('addresses of a common family', 'the two pods share none')
  return ways
}

function to(from: Attachment, other: Attachment): readonly Way[] {
  const families = new Set(addressesOf(from).map(familyOf))
  return addressesOf(other)
    .filter((address) => families.has(familyOf(address)))
    .map((address) => ({ from, to: other, address }))
}
