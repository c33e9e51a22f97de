import { addressOf, type Ip } from '@podfabric/netaddr'
import type { Case } from '../case.ts'
import { type Attachment, attachmentOf } from '../harness/attachment.ts'
import { errorOf, outcomeOf } from '../harness/exchange.ts'
import { exhaust } from '../harness/exhaustion.ts'
import { hasSucceeded, oneDocument } from '../harness/expectations.ts'
import type { Harness } from '../harness/harness.ts'
import { objectsIn } from '../harness/objects.ts'

export const ipamCases: readonly Case[] = [
  {
    id: 'ipam.distinct',
    level: 'MUST',
    rule: 'NM-01',
    title: 'every attachment has addresses of its own, which are no gateway',
    requires: ['addresses'],
    async run(t) {
      const attachments: Attachment[] = []
      for (let count = 0; count < 6; count++) attachments.push(await t.add(await t.pod()))
      distinct(t, attachments)
    },
  },
  {
    id: 'ipam.concurrent',
    level: 'MUST',
    rule: 'LC-03',
    title: 'ADDs at once for different containers all succeed, with addresses of their own',
    requires: ['addresses'],
    async run(t) {
      const pods = await Promise.all(Array.from({ length: 8 }, () => t.pod()))
      const exchanges = await Promise.all(pods.map((pod) => t.tryAdd(pod)))
      const attachments = pods.flatMap((pod, index) => {
        const exchange = exchanges[index]
        if (exchange === undefined) return []
        t.must('every ADD to succeed', hasSucceeded(exchange), outcomeOf(exchange))
        return [attachmentOf(pod, t.ifName, exchange, t.list.cniVersion)]
      })
      distinct(t, attachments)
    },
  },
  {
    id: 'ipam.concurrent-del',
    level: 'MUST',
    rule: 'LC-03',
    title: 'DELs at once for different containers all succeed and leave nothing',
    requires: ['addresses'],
    async run(t) {
      await t.baseline()
      const pods = await Promise.all(Array.from({ length: 8 }, () => t.pod()))
      const outside = await t.snapshot()
      const attachments = []
      for (const pod of pods) attachments.push(await t.add(pod))
      await Promise.all(attachments.map((each) => t.del(each)))
      t.none('nothing left on the node', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'ipam.exhausted',
    level: 'MUST',
    rule: 'XP-10',
    title: 'ADD fails when there is no address left, leaves nothing behind, and those that have one keep it',
    requires: ['addresses', 'small-pool'],
    async run(t) {
      const attachments = await exhaust(t)
      const pod = await t.pod()
      const [outside, inside] = [await t.snapshot(), await t.inside(pod)]
      const exchange = await t.tryAdd(pod)
      t.failed(exchange, 'every address is given')
      t.must('an error object', errorOf(exchange) !== undefined, outcomeOf(exchange))
      t.none('nothing left in the sandbox', t.difference(inside, await t.inside(pod)))
      t.none('nothing left on the node', t.difference(outside, await t.snapshot()))
      distinct(t, attachments)
    },
  },
  {
    id: 'ipam.reused',
    level: 'SHOULD',
    rule: 'DL-10',
    title: 'the address of an attachment that was deleted is given again when no other is left',
    requires: ['addresses', 'small-pool'],
    async run(t) {
      const [first, ...others] = await exhaust(t)
      if (first === undefined) return
      await t.del(first)
      const next = await t.add(await t.pod())
      distinct(t, [next, ...others])
    },
  },
  {
    id: 'ipam.short-result',
    level: 'MUST',
    rule: 'DG-10',
    title: 'an address management plugin returns no interfaces, and addresses without interface',
    requires: ['ipam'],
    async run(t) {
      const document = oneDocument(await t.tryAdd(await t.pod()))
      t.must('no interfaces', objectsIn(document.interfaces).length === 0, document)
      const pointed = objectsIn(document.ips).filter((each) => 'interface' in each && each.interface !== null)
      t.must('no interface in ips', pointed.length === 0, document)
    },
  },
  {
    id: 'ipam.across-nodes',
    level: 'MUST',
    rule: 'NM-01',
    title: 'addresses on different nodes are different',
    requires: ['pod', 'several-nodes'],
    nodes: 2,
    async run(t) {
      const attachments: Attachment[] = []
      for (const node of [...t.nodes, ...t.nodes, ...t.nodes])
        attachments.push(await t.add(await t.pod(node)))
      distinct(t, attachments)
    },
  },
]

/** No address twice, and none a gateway. */
function distinct(t: Harness, attachments: readonly Attachment[]): void {
  const seen = new Map<Ip, string>()
  for (const { pod, result } of attachments) {
    t.must(`an address for ${pod.name}`, result.ips.length > 0, result)
    for (const { address, gateway } of result.ips) {
      const ip = addressOf(address)
      const other = seen.get(ip)
      t.must(`${ip} for ${pod.name} alone`, other === undefined, `${other} has it too`)
      t.must(`${ip} to be no gateway`, gateway !== ip, { address, gateway })
      seen.set(ip, pod.name)
    }
  }
}
