import type { Case } from '../case.ts'
import { type Attachment, addressesOf } from '../harness/attachment.ts'
import { outcomeOf } from '../harness/exchange.ts'
import { hasSucceeded } from '../harness/expectations.ts'
import type { Harness } from '../harness/harness.ts'

export const gcCases: readonly Case[] = [
  {
    id: 'gc.quiet',
    level: 'MUST',
    rule: 'GC-09',
    title: 'GC needs no variables of an attachment, exits with 0 and prints nothing',
    requires: ['gc'],
    async run(t) {
      const exchange = await t.tryGc(t.node, [await t.add(await t.pod())])
      t.succeeded(exchange)
      t.must('nothing on stdout', exchange.stdout === '', exchange.stdout)
    },
  },
  {
    id: 'gc.keeps-valid',
    level: 'MUST',
    rule: 'GC-01',
    title: 'GC leaves valid attachments alone, of one container the one that is valid',
    requires: ['gc', 'new-interface'],
    async run(t) {
      const kept = await t.add(await t.pod())
      const alive = await aliveness(t, kept)
      await t.add(kept.pod, { ifName: 'net1' })
      await t.add(await t.pod())
      const exchange = await t.tryGc(t.node, [kept])
      t.succeeded(exchange)
      await alive(`after GC with it among the valid ones: ${outcomeOf(exchange)}`)
    },
  },
  {
    id: 'gc.keeps-when-not-told',
    level: 'MUST',
    rule: 'GC-01',
    title: 'GC without a list of valid attachments removes nothing',
    requires: ['gc', 'new-interface'],
    async run(t) {
      const kept = await t.add(await t.pod())
      const alive = await aliveness(t, kept)
      const exchange = await t.tryGc(t.node, undefined)
      await alive(`after GC without a list: ${outcomeOf(exchange)}`)
    },
  },
  {
    id: 'gc.keeps-other-networks',
    level: 'MUST',
    rule: 'GC-01',
    title: "GC of one network leaves another network's attachments alone",
    requires: ['gc', 'new-interface'],
    async run(t) {
      const kept = await t.add(await t.pod())
      const alive = await aliveness(t, kept)
      const exchange = await t.tryGc(t.node, [], { list: { ...t.list, name: `${t.list.name}-other` } })
      t.succeeded(exchange)
      await alive(`after GC of another network: ${outcomeOf(exchange)}`)
    },
  },
  {
    id: 'gc.removes-stale',
    level: 'SHOULD',
    rule: 'GC-02',
    title: 'GC removes what belongs to no valid attachment, addresses included',
    requires: ['gc'],
    async run(t) {
      await t.baseline()
      const pod = await t.pod()
      const outside = await t.snapshot()
      await t.add(pod)
      t.succeeded(await t.tryGc(t.node, []))
      t.none('nothing left on the node', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'gc.removes-stale-interface',
    level: 'SHOULD',
    rule: 'LC-07',
    title: 'GC removes the interface that is stale of a container that has a valid one',
    requires: ['gc', 'new-interface'],
    async run(t) {
      const kept = await t.add(await t.pod())
      const outside = await t.snapshot()
      await t.add(kept.pod, { ifName: 'net1' })
      t.succeeded(await t.tryGc(t.node, [kept]))
      t.none('nothing left of the stale one on the node', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'gc.sandbox-gone',
    level: 'SHOULD',
    rule: 'GC-02',
    title: 'GC removes what is stale when its namespace is gone',
    requires: ['gc'],
    async run(t) {
      await t.baseline()
      const outside = await t.snapshot()
      const pod = await t.pod()
      await t.add(pod)
      await t.drop(pod)
      t.succeeded(await t.tryGc(t.node, []))
      t.none('nothing left on the node', t.difference(outside, await t.snapshot()))
    },
  },
  {
    id: 'gc.unsupported-is-reported',
    level: 'SHOULD',
    rule: 'GC-02',
    title: 'GC of a plugin that has none is no silent success: it fails, or says so on stderr',
    requires: ['no-gc'],
    async run(t) {
      const exchange = await t.call(
        t.node,
        'GC',
        {},
        {
          version: '1.1.0',
          config: { 'cni.dev/valid-attachments': [] },
        },
      )
      const reported = !hasSucceeded(exchange) || exchange.stderr.trim() !== ''
      t.must('an error, or a line on stderr', reported, outcomeOf(exchange))
    },
  },
]

/** Remembers what an attachment looks like; the function fails the case when it does not any more. */
async function aliveness(t: Harness, attachment: Attachment): Promise<(when: string) => Promise<void>> {
  const { pod, ifName } = attachment
  const own = async () => {
    const lines = [...(await t.inside(pod))]
    return new Set(lines.filter((line) => line.includes(`"${ifName}"`)))
  }
  const before = await own()
  return async (when) => {
    t.none(`${ifName} of ${pod.name} to be untouched ${when}`, t.difference(before, await own()))
    if (t.features.check === true) await t.check(attachment)
    if (t.features.pod !== true) return
    for (const address of addressesOf(attachment)) await t.ping(t.node, address)
  }
}
