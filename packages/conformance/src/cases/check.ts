import { ifAddress, prefix } from '@podfabric/netaddr'
import type { Case } from '../case.ts'
import type { Attachment } from '../harness/attachment.ts'
import type { Harness } from '../harness/harness.ts'
import { linkOf } from '../harness/link.ts'
import { objectsIn } from '../harness/objects.ts'

export const checkCases: readonly Case[] = [
  {
    id: 'check.after-add',
    level: 'MUST',
    rule: 'CK-06',
    title: 'CHECK right after ADD succeeds',
    requires: ['check'],
    async run(t) {
      await t.check(await t.add(await t.pod()))
    },
  },
  {
    id: 'check.quiet',
    level: 'MUST',
    rule: 'CK-13',
    title: 'CHECK prints nothing when it succeeds',
    requires: ['check'],
    async run(t) {
      const { stdout } = await t.tryCheck(await t.add(await t.pod()))
      t.must('nothing on stdout', stdout === '', stdout)
    },
  },
  {
    id: 'check.changes-nothing',
    level: 'SHOULD',
    rule: 'CK-03',
    title: 'CHECK changes nothing, and repairs nothing',
    requires: ['check', 'interface'],
    async run(t) {
      const attachment = await t.add(await t.pod())
      const whole = await both(t, attachment)
      await t.check(attachment)
      t.none('all as it was', t.difference(whole, await both(t, attachment)))
      await attachment.pod.at.links.set(attachment.ifName, { up: false })
      const broken = await both(t, attachment)
      await t.tryCheck(attachment)
      t.none('what is broken to stay so', t.difference(broken, await both(t, attachment)))
    },
  },
  {
    id: 'check.from-prev-result',
    level: 'MUST',
    rule: 'CK-01',
    title: 'CHECK fails when prevResult tells of an address that the interface does not have',
    requires: ['check', 'interface', 'addresses'],
    async run(t) {
      const attachment = await t.add(await t.pod())
      const ips = objectsIn(attachment.document.ips)
      const other = ips.map((each) => {
        const address = String(each.address).includes(':') ? '2001:db8::7/64' : '198.51.100.7/24'
        return { ...each, address }
      })
      const prevResult = { ...attachment.document, ips: other }
      t.failed(await t.tryCheck(attachment, { config: { prevResult } }), 'prevResult has another address')
    },
  },
  {
    id: 'check.tolerates-others',
    level: 'MUST',
    rule: 'CK-02',
    title: 'CHECK succeeds when a later plugin has added an interface, an address and a route',
    requires: ['check', 'interface'],
    async run(t) {
      const attachment = await t.add(await t.pod())
      const { at } = attachment.pod
      await at.links.add({ kind: 'bridge', name: 'later0', up: true })
      await at.addresses.add({ link: 'later0', address: ifAddress('198.51.100.7/24') })
      await at.routes.add({ destination: prefix('203.0.113.0/24'), link: 'later0' })
      await t.check(attachment)
    },
  },
  {
    id: 'check.interface-missing',
    level: 'SHOULD',
    rule: 'CK-03',
    title: 'CHECK fails when the interface is gone',
    requires: ['check', 'new-interface'],
    run: (t) => tampered(t, 'the interface is gone', ({ pod, ifName }) => pod.at.links.delete(ifName)),
  },
  {
    id: 'check.interface-down',
    level: 'SHOULD',
    rule: 'CK-05',
    title: 'CHECK fails when the interface is down',
    requires: ['check', 'interface'],
    run: (t) =>
      tampered(t, 'the interface is down', ({ pod, ifName }) => pod.at.links.set(ifName, { up: false })),
  },
  {
    id: 'check.address-missing',
    level: 'SHOULD',
    rule: 'CK-03',
    title: 'CHECK fails when an address is gone',
    requires: ['check', 'interface', 'addresses'],
    run: (t) =>
      tampered(t, 'an address is gone', async ({ pod, ifName, result }) => {
        for (const { address } of result.ips) await pod.at.addresses.delete({ link: ifName, address })
      }),
  },
  {
    id: 'check.route-missing',
    level: 'SHOULD',
    rule: 'CK-03',
    title: 'CHECK fails when a route that ADD reported is gone',
    requires: ['check', 'new-interface', 'routes'],
    run: (t) =>
      tampered(t, 'its routes are gone', async ({ pod, ifName, result }) => {
        const reported = new Set(result.routes.map(({ destination }) => destination))
        const rows = await pod.at.routes.list()
        const own = rows.filter((row) => row.link === ifName && reported.has(row.destination))
        for (const row of own) await pod.at.routes.delete(row)
      }),
  },
  {
    id: 'check.after-del',
    level: 'SHOULD',
    rule: 'CK-03',
    title: 'CHECK fails after DEL',
    requires: ['check'],
    async run(t) {
      const attachment = await t.add(await t.pod())
      await t.del(attachment)
      t.failed(await t.tryCheck(attachment), 'it was deleted')
    },
  },
]

/** CHECK succeeds before, and fails after something was done to what ADD made. */
async function tampered(
  t: Harness,
  why: string,
  tamper: (attachment: Attachment) => Promise<void>,
): Promise<void> {
  const attachment = await t.add(await t.pod())
  if (t.features['new-interface'] === true) await linkOf(attachment.pod, attachment.ifName)
  await t.check(attachment)
  await tamper(attachment)
  t.failed(await t.tryCheck(attachment), why)
}

/** The node and the sandbox. */
async function both(t: Harness, { pod }: Attachment) {
  const [outside, inside] = [await t.snapshot(), await t.inside(pod)]
  return new Set([...outside, ...[...inside].map((line) => `${pod.name}: ${line}`)])
}
