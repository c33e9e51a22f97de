import { LOOPBACK_IPV4 } from '@podfabric/netaddr'
import type { Case } from '../case.ts'
import { addressesOf } from '../harness/attachment.ts'
import { pairOnOneNode, pairOnTwoNodes } from '../harness/pair.ts'

export const connectivityCases: readonly Case[] = [
  {
    id: 'connectivity.same-node',
    level: 'MUST',
    rule: 'NM-02',
    title: 'pods on one node reach each other at their own addresses, with ICMP, UDP and TCP',
    requires: ['pod'],
    async run(t) {
      for (const { from, to, address } of await pairOnOneNode(t)) {
        await t.ping(from.pod, address)
        await t.talk(from.pod, to.pod, address)
        await t.transfer(from.pod, to.pod, address, 1000)
      }
    },
  },
  {
    id: 'connectivity.across-nodes',
    level: 'MUST',
    rule: 'NM-02',
    title: 'pods on different nodes reach each other at their own addresses, with ICMP, UDP and TCP',
    requires: ['pod', 'several-nodes'],
    nodes: 2,
    async run(t) {
      for (const { from, to, address } of await pairOnTwoNodes(t)) {
        await t.ping(from.pod, address)
        await t.talk(from.pod, to.pod, address)
        await t.transfer(from.pod, to.pod, address, 1000)
      }
    },
  },
  {
    id: 'connectivity.node-to-pod',
    level: 'MUST',
    rule: 'NM-03',
    title: 'the node reaches the pods on it, with ICMP and UDP',
    requires: ['pod'],
    async run(t) {
      for (const attachment of [await t.add(await t.pod()), await t.add(await t.pod())]) {
        for (const address of addressesOf(attachment)) {
          await t.ping(t.node, address)
          await t.talk(t.node, attachment.pod, address)
        }
      }
    },
  },
  {
    id: 'connectivity.localhost',
    level: 'MUST',
    rule: 'NM-04',
    title: "containers of one pod reach each other at localhost, and not another pod's",
    requires: ['new-interface'],
    async run(t) {
      const [one, other] = [await t.add(await t.pod()), await t.add(await t.pod())]
      await t.talk(one.pod, one.pod, LOOPBACK_IPV4)
      await t.silence(one.pod, other.pod, LOOPBACK_IPV4)
    },
  },
  {
    id: 'connectivity.after-a-neighbor-left',
    level: 'MUST',
    rule: 'NM-02',
    title: 'pods reach each other after a third one has come and gone, and reach one that came later',
    requires: ['pod'],
    async run(t) {
      const [one, other] = [await t.add(await t.pod()), await t.add(await t.pod())]
      const leaving = await t.add(await t.pod())
      for (const address of addressesOf(leaving)) await t.ping(one.pod, address)
      await t.del(leaving)
      for (const address of addressesOf(other)) await t.talk(one.pod, other.pod, address)
      const late = await t.add(await t.pod())
      for (const address of addressesOf(late)) await t.talk(one.pod, late.pod, address)
      for (const address of addressesOf(one)) await t.talk(late.pod, one.pod, address)
    },
  },
]
