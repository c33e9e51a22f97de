import type { Case } from '../case.ts'
import type { Harness } from '../harness/harness.ts'
import { linkOf } from '../harness/link.ts'
import { pairOnOneNode, pairOnTwoNodes, type Way } from '../harness/pair.ts'

/** Octets of a transfer that no buffer along the way holds at once. */
const large = 1_000_000

export const mtuCases: readonly Case[] = [
  {
    id: 'mtu.exact',
    level: 'MUST',
    rule: 'NM-06',
    title: "a packet of exactly the interface's MTU that must not be fragmented arrives on the same node",
    requires: ['pod'],
    async run(t) {
      for (const way of await pairOnOneNode(t)) await exact(t, way)
    },
  },
  {
    id: 'mtu.exact-across-nodes',
    level: 'MUST',
    rule: 'NM-06',
    title: "a packet of exactly the interface's MTU that must not be fragmented arrives on the other node",
    requires: ['pod', 'several-nodes'],
    nodes: 2,
    async run(t) {
      for (const way of await pairOnTwoNodes(t)) await exact(t, way)
    },
  },
  {
    id: 'mtu.larger',
    level: 'MUST',
    rule: 'NM-06',
    title: 'a packet one octet larger is refused, or answered with the MTU that would do',
    requires: ['pod'],
    async run(t) {
      for (const { from, address } of await pairOnOneNode(t)) {
        const mtu = await reported(from)
        const outcome = await t.echo(from.pod, address, { packetSize: mtu + 1 })
        const told = outcome.kind === 'too-big' || (outcome.kind === 'refused' && outcome.code === 'EMSGSIZE')
        t.must(`${mtu + 1} octets to be refused, the MTU being ${mtu}`, told, outcome)
      }
    },
  },
  {
    id: 'mtu.transfer',
    level: 'MUST',
    rule: 'NM-06',
    title: 'a large TCP transfer arrives whole on the same node',
    requires: ['pod'],
    async run(t) {
      for (const { from, to, address } of await pairOnOneNode(t)) {
        await t.transfer(from.pod, to.pod, address, large)
      }
    },
  },
  {
    id: 'mtu.transfer-across-nodes',
    level: 'MUST',
    rule: 'NM-06',
    title: 'a large TCP transfer arrives whole on the other node',
    requires: ['pod', 'several-nodes'],
    nodes: 2,
    async run(t) {
      for (const { from, to, address } of await pairOnTwoNodes(t)) {
        await t.transfer(from.pod, to.pod, address, large)
      }
    },
  },
]

async function exact(t: Harness, { from, address }: Way): Promise<void> {
  const mtu = await reported(from)
  const outcome = await t.echo(from.pod, address, { packetSize: mtu })
  t.must(
    `${mtu} octets from ${from.pod.name} to arrive at ${address}, the MTU being ${mtu}`,
    outcome.kind === 'reply',
    outcome,
  )
}

/** The MTU in the result; where there is none, the interface's own. */
async function reported({ pod, ifName, result }: Way['from']): Promise<number> {
  const own = result.interfaces.find(({ name, sandbox }) => name === ifName && sandbox === pod.path)
  return own?.mtu ?? (await linkOf(pod, ifName)).mtu
}
