import type { Case } from '../case.ts'
import { addressesOf } from '../harness/attachment.ts'
import type { Harness } from '../harness/harness.ts'
import { pairOnOneNode, pairOnTwoNodes, type Way } from '../harness/pair.ts'

export const noNatCases: readonly Case[] = [
  {
    id: 'no-nat.same-node',
    level: 'MUST',
    rule: 'NM-05',
    title: "pods on one node see each other's own addresses, both ways",
    requires: ['pod'],
    async run(t) {
      await ownAddresses(t, await pairOnOneNode(t))
    },
  },
  {
    id: 'no-nat.across-nodes',
    level: 'MUST',
    rule: 'NM-05',
    title: "pods on different nodes see each other's own addresses, both ways",
    requires: ['pod', 'several-nodes'],
    nodes: 2,
    async run(t) {
      await ownAddresses(t, await pairOnTwoNodes(t))
    },
  },
]

async function ownAddresses(t: Harness, ways: readonly Way[]): Promise<void> {
  for (const { from, to, address } of ways) {
    const { client, server } = await t.talk(from.pod, to.pod, address)
    const own = addressesOf(from)
    const seen = `${to.pod.name} saw ${client.address}`
    t.must(
      `${own.join(' or ')} as the sender, the address of ${from.pod.name}`,
      own.includes(client.address),
      seen,
    )
    const answered = `${from.pod.name} saw the answer come from ${server.address}`
    t.must(`an answer from ${address}, which was asked`, server.address === address, answered)
  }
}
