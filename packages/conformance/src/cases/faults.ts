import type { Case } from '../case.ts'
import { errorOf, outcomeOf } from '../harness/exchange.ts'
import { hasSucceeded } from '../harness/expectations.ts'
import type { Harness, Node } from '../harness/harness.ts'
import type { Pod } from '../harness/place.ts'
import type { Snapshot } from '../harness/snapshot.ts'

/** A plugin with more steps than this is not followed to its end. */
const most = 200

export const faultCases: readonly Case[] = [
  {
    id: 'faults.add-fails',
    level: 'MUST',
    rule: 'FT-01',
    title:
      'whichever kernel operation is refused, ADD fails with an error object or has done its work all the same',
    requires: ['within', 'interface'],
    async run(t) {
      await eachFault(t, async ({ exchange, pod, which }) => {
        if (hasSucceeded(exchange)) {
          const names = (await pod.at.links.list()).map(({ name }) => name)
          t.must(`${which}: an ADD that succeeds to have made ${t.ifName}`, names.includes(t.ifName), names)
          return
        }
        t.must(`${which}: exit code other than 0`, exchange.exitCode !== 0, outcomeOf(exchange))
        t.must(`${which}: an error object`, errorOf(exchange) !== undefined, outcomeOf(exchange))
        // 3 tells the runtime that there is nothing to delete.
        t.must(
          `${which}: not error 3, which would skip DEL`,
          errorOf(exchange)?.code !== 3,
          outcomeOf(exchange),
        )
      })
    },
  },
  {
    id: 'faults.add-leaves-nothing',
    level: 'SHOULD',
    rule: 'FT-02',
    title: 'whichever kernel operation is refused, a failed ADD leaves nothing behind by itself',
    requires: ['within', 'interface'],
    async run(t) {
      await eachFault(t, async ({ exchange, pod, which, outside, inside }) => {
        if (hasSucceeded(exchange)) return
        t.none(`${which}: nothing left in the sandbox`, t.difference(inside, await t.inside(pod)))
        t.none(`${which}: nothing left on the node`, t.difference(outside, await t.snapshot()))
      })
    },
  },
  {
    id: 'faults.del-after-failed-add',
    level: 'MUST',
    rule: 'LC-04',
    title: 'whichever kernel operation is refused, the DEL after the failed ADD succeeds and leaves nothing',
    requires: ['within', 'interface'],
    async run(t) {
      await eachFault(t, async ({ pod, which, outside, inside }) => {
        const exchange = await t.tryDel({ pod, ifName: t.ifName })
        t.must(`${which}: DEL to succeed`, hasSucceeded(exchange), outcomeOf(exchange))
        t.none(`${which}: nothing left in the sandbox`, t.difference(inside, await t.inside(pod)))
        t.none(`${which}: nothing left on the node`, t.difference(outside, await t.snapshot()))
      })
    },
  },
  {
    id: 'faults.del-repeated',
    level: 'MUST',
    rule: 'DL-08',
    title: 'whichever kernel operation of a DEL is refused, the next DEL succeeds and leaves nothing',
    requires: ['within', 'interface'],
    async run(t) {
      await t.baseline()
      for (let at = 1; at <= most; at++) {
        const pod = await t.pod()
        const [outside, inside] = [await t.snapshot(), await t.inside(pod)]
        const attachment = await t.add(pod)
        t.node.gate.plan({ kind: 'fail', at, code: 'EBUSY' })
        await t.tryDel(attachment)
        const reached = t.node.gate.operations >= at
        t.node.gate.plan({ kind: 'open' })
        const which = `after a DEL whose operation ${at} was refused`
        const exchange = await t.tryDel(attachment)
        t.must(`${which}: DEL to succeed`, hasSucceeded(exchange), outcomeOf(exchange))
        t.none(`${which}: nothing left in the sandbox`, t.difference(inside, await t.inside(pod)))
        t.none(`${which}: nothing left on the node`, t.difference(outside, await t.snapshot()))
        if (!reached) return
      }
    },
  },
  {
    id: 'faults.killed-then-del',
    level: 'SHOULD',
    rule: 'FT-03',
    title: 'wherever an ADD is killed, DEL brings node, sandbox and store back to what they were',
    requires: ['within', 'interface'],
    async run(t) {
      await eachKill(t, async ({ pod, which, outside, inside }) => {
        const exchange = await t.tryDel({ pod, ifName: t.ifName })
        t.must(`${which}: DEL to succeed`, hasSucceeded(exchange), outcomeOf(exchange))
        t.none(`${which}: nothing left in the sandbox`, t.difference(inside, await t.inside(pod)))
        t.none(`${which}: nothing left on the node`, t.difference(outside, await t.snapshot()))
      })
    },
  },
  {
    id: 'faults.killed-then-gc',
    level: 'SHOULD',
    rule: 'FT-03',
    title: 'wherever an ADD is killed, GC brings node and store back to what they were',
    requires: ['within', 'interface', 'gc'],
    async run(t) {
      await eachKill(t, async ({ which, outside }) => {
        const exchange = await t.tryGc(t.node, [])
        t.must(`${which}: GC to succeed`, hasSucceeded(exchange), outcomeOf(exchange))
        t.none(`${which}: nothing left on the node`, t.difference(outside, await t.snapshot()))
      })
    },
  },
  {
    id: 'faults.killed-then-add',
    level: 'SHOULD',
    rule: 'FT-03',
    title: 'wherever an ADD is killed, DEL and another ADD for the same container attach it',
    requires: ['within', 'interface', 'check'],
    async run(t) {
      await eachKill(t, async ({ pod, which }) => {
        await t.tryDel({ pod, ifName: t.ifName })
        const exchange = await t.tryAdd(pod)
        t.must(`${which}: the next ADD to succeed`, hasSucceeded(exchange), outcomeOf(exchange))
        await t.tryDel({ pod, ifName: t.ifName })
      })
    },
  },
]

interface Broken {
  readonly pod: Pod
  /** For messages. */
  readonly which: string
  readonly outside: Snapshot
  readonly inside: Snapshot
}

/** ADDs of fresh pods, each with its next kernel operation refused, until one is not reached. Each is cleaned up behind. */
async function eachFault(
  t: Harness,
  look: (broken: Broken & { readonly exchange: Awaited<ReturnType<Harness['tryAdd']>> }) => Promise<void>,
): Promise<void> {
  await t.baseline()
  const { gate } = t.node
  for (let at = 1; at <= most; at++) {
    const before = await beforeAdd(t)
    gate.plan({ kind: 'fail', at, code: 'ENOBUFS' })
    const exchange = await t.tryAdd(before.pod)
    const reached = gate.operations >= at
    gate.plan({ kind: 'open' })
    if (reached) await look({ ...before, exchange, which: `operation ${at} of ADD refused` })
    await t.tryDel({ pod: before.pod, ifName: t.ifName })
    if (reached) continue
    t.must('ADD to work on the kernel at all', at > 1, 'it made no operation')
    return
  }
}

/** ADDs of fresh pods, each killed before its next step, until one is not reached. The plugins are new ones afterwards. */
async function eachKill(t: Harness, look: (broken: Broken) => Promise<void>): Promise<void> {
  await t.baseline()
  for (let at = 1; at <= most; at++) {
    const before = await beforeAdd(t)
    const reached = await killedAt(t, t.node, before.pod, at)
    t.node.restart()
    if (reached) await look({ ...before, which: `ADD killed before step ${at}` })
    await t.tryDel({ pod: before.pod, ifName: t.ifName })
    if (!reached) return
  }
}

async function killedAt(t: Harness, node: Node, pod: Pod, at: number): Promise<boolean> {
  const { gate } = node
  gate.plan({ kind: 'kill', at })
  await t.tryAdd(pod)
  return gate.steps >= at
}

async function beforeAdd(t: Harness): Promise<Omit<Broken, 'which'>> {
  const pod = await t.pod()
  return { pod, outside: await t.snapshot(), inside: await t.inside(pod) }
}
