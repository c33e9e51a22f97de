import type { Case } from '../case.ts'
import { type Attachment, addressesOf } from '../harness/attachment.ts'
import { outcomeOf } from '../harness/exchange.ts'
import { hasSucceeded } from '../harness/expectations.ts'
import type { Harness } from '../harness/harness.ts'
import { hasLink } from '../harness/link.ts'

export const delCases: readonly Case[] = [
  {
    id: 'del.quiet',
    level: 'MUST',
    rule: 'XP-13',
    title: 'DEL exits with 0 and prints nothing',
    async run(t) {
      const exchange = await t.tryDel(await t.add(await t.pod()))
      t.succeeded(exchange)
      t.must('nothing on stdout', exchange.stdout === '', exchange.stdout)
    },
  },
  {
    id: 'del.removes-interface',
    level: 'SHOULD',
    rule: 'DL-01',
    title: 'DEL removes the interface',
    requires: ['new-interface'],
    async run(t) {
      const attachment = await t.add(await t.pod())
      await t.del(attachment)
      t.must(
        `no ${attachment.ifName} in the sandbox`,
        !(await hasLink(attachment.pod, attachment.ifName)),
        attachment.ifName,
      )
    },
  },
  {
    id: 'del.no-residue',
    level: 'SHOULD',
    rule: 'DL-01',
    title: 'after DEL node, sandbox and store are as they were before ADD',
    async run(t) {
      await t.baseline()
      const pod = await t.pod()
      const [outside, inside] = [await t.snapshot(), await t.inside(pod)]
      await t.del(await t.add(pod))
      t.none('nothing left in the sandbox', t.difference(inside, await t.inside(pod)))
      t.none('nothing left on the node', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'del.idempotent',
    level: 'MUST',
    rule: 'DL-08',
    title: 'DEL succeeds a second and a third time',
    async run(t) {
      const attachment = await t.add(await t.pod())
      for (const time of ['first', 'second', 'third']) {
        const exchange = await t.tryDel(attachment)
        t.must(`the ${time} DEL to succeed`, hasSucceeded(exchange), outcomeOf(exchange))
      }
    },
  },
  {
    id: 'del.never-added',
    level: 'SHOULD',
    rule: 'DL-04',
    title: 'DEL of what was never added succeeds, and changes nothing',
    async run(t) {
      await t.baseline()
      const pod = await t.pod()
      const [outside, inside] = [await t.snapshot(), await t.inside(pod)]
      await t.del({ pod, ifName: t.ifName })
      t.none('the sandbox to be untouched', t.difference(inside, await t.inside(pod)))
      t.none('the node to be untouched', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'del.without-netns',
    level: 'SHOULD',
    rule: 'DL-09',
    title: 'DEL without CNI_NETNS succeeds and frees what is on the node',
    requires: ['new-interface'],
    async run(t) {
      const { outside, attachment } = await attached(t)
      await t.del(attachment, { env: { CNI_NETNS: undefined } })
      t.none('nothing left on the node', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'del.without-prev-result',
    level: 'SHOULD',
    rule: 'DL-03',
    title: 'DEL without prevResult succeeds and leaves nothing',
    async run(t) {
      const { outside, inside, attachment } = await attached(t)
      await t.del(attachment, { forgotten: true })
      t.none('nothing left in the sandbox', t.difference(inside, await t.inside(attachment.pod)))
      t.none('nothing left on the node', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'del.sandbox-gone',
    level: 'SHOULD',
    rule: 'DL-07',
    title: 'DEL succeeds when the namespace is gone, and frees what is on the node, addresses included',
    async run(t) {
      const { outside, attachment } = await attached(t)
      await t.drop(attachment.pod)
      await t.del(attachment)
      const left = t.difference(outside, await t.snapshot())
      t.none(
        'nothing left on the node',
        left.filter((line) => !line.startsWith('- netns ')),
      )
    },
  },
  {
    id: 'del.interface-gone',
    level: 'SHOULD',
    rule: 'DL-04',
    title: 'DEL succeeds when somebody has deleted the interface, and frees the rest',
    requires: ['new-interface'],
    async run(t) {
      const { outside, attachment } = await attached(t)
      await attachment.pod.at.links.delete(attachment.ifName)
      await t.del(attachment)
      t.none('nothing left on the node', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'del.one-interface-only',
    level: 'MUST',
    rule: 'LC-07',
    title: "DEL of one interface leaves the container's other one alone",
    requires: ['new-interface'],
    async run(t) {
      const pod = await t.pod()
      const first = await t.add(pod)
      const before = await keptBy(t, first)
      const second = await t.add(pod, { ifName: 'net1' })
      await t.del(second)
      t.must(`${first.ifName} still there`, await hasLink(pod, first.ifName), 'it is gone')
      t.none(`what ${first.ifName} has to be untouched`, t.difference(before, await keptBy(t, first)))
    },
  },
  {
    id: 'del.one-container-only',
    level: 'MUST',
    rule: 'LC-07',
    title: 'DEL of one container leaves every other alone',
    async run(t) {
      const [one, other] = [await t.pod(), await t.pod()]
      const kept = await t.add(one)
      const [inside, outside] = [await t.inside(one), await t.snapshot()]
      await t.del(await t.add(other))
      t.none('the other sandbox to be untouched', t.difference(inside, await t.inside(one)))
      t.none('what it has on the node to be untouched', t.difference(outside, await t.snapshot()))
      if (t.features.pod !== true) return
      for (const address of addressesOf(kept)) await t.ping(t.node, address)
    },
  },
]

/** A pod that is attached, and what there was before. */
async function attached(t: Harness) {
  await t.baseline()
  const pod = await t.pod()
  const [outside, inside] = [await t.snapshot(), await t.inside(pod)]
  return { outside, inside, attachment: await t.add(pod) }
}

/** What the sandbox has of one interface: the lines that name it. */
async function keptBy(t: Harness, { pod, ifName }: Attachment) {
  const lines = [...(await t.inside(pod))]
  return new Set(lines.filter((line) => line.includes(`"${ifName}"`) && !line.startsWith('route')))
}
