import { addressOf } from '@podfabric/netaddr'
import type { Case } from '../case.ts'
import { errorOf } from '../harness/exchange.ts'
import { oneDocument } from '../harness/expectations.ts'
import { linkOf } from '../harness/link.ts'
import { objectsIn } from '../harness/objects.ts'

export const addCases: readonly Case[] = [
  {
    id: 'add.one-document',
    level: 'MUST',
    rule: 'XP-12',
    title: 'ADD prints exactly one JSON object and exits with 0',
    async run(t) {
      const exchange = await t.tryAdd(await t.pod())
      t.succeeded(exchange)
      oneDocument(exchange)
    },
  },
  {
    id: 'add.interface',
    level: 'MUST',
    rule: 'XP-06',
    title: 'CNI_IFNAME is the name of the interface in the sandbox, whatever it says',
    requires: ['new-interface'],
    async run(t) {
      for (const ifName of [t.ifName, 'net-7.x']) {
        const { pod, result } = await t.add(await t.pod(), { ifName })
        const names = (await pod.at.links.list()).map(({ name }) => name)
        t.must(`an interface ${ifName} in the sandbox`, names.includes(ifName), names)
        const own = result.interfaces.filter((each) => each.sandbox !== undefined).map(({ name }) => name)
        t.must(`interface ${ifName} in the result`, own.includes(ifName), own)
      }
    },
  },
  {
    id: 'add.up',
    level: 'MUST',
    rule: 'XP-06',
    title: 'the interface is up',
    requires: ['interface'],
    async run(t) {
      const { pod, ifName } = await t.add(await t.pod())
      const link = await linkOf(pod, ifName)
      t.must(`${ifName} to be up`, link.up, link)
    },
  },
  {
    id: 'add.sandbox',
    level: 'SHOULD',
    rule: 'RS-02',
    title: 'interfaces in the sandbox carry CNI_NETNS as sandbox, those on the host none',
    requires: ['interface'],
    async run(t) {
      const { pod, result } = await t.add(await t.pod())
      const sandboxes = result.interfaces.map(({ sandbox }) => sandbox).filter((each) => (each ?? '') !== '')
      t.must('an interface in the sandbox', sandboxes.length > 0, result.interfaces)
      t.none(`${pod.path} in each sandbox`, sandboxes.filter((each) => each !== pod.path).map(String))
    },
  },
  {
    id: 'add.reports-mac',
    level: 'MUST',
    rule: 'RS-02',
    title: 'the reported mac is that of the interface',
    requires: ['new-interface'],
    async run(t) {
      const { pod, ifName, result } = await t.add(await t.pod())
      const { mac } = await linkOf(pod, ifName)
      const reported = result.interfaces.find(({ name, sandbox }) => name === ifName && sandbox)
      t.must(`mac ${mac} for ${ifName}`, reported?.mac === mac, reported)
    },
  },
  {
    id: 'add.reports-mtu',
    level: 'MUST',
    rule: 'RS-02',
    title: 'a reported mtu is that of the interface',
    requires: ['interface'],
    async run(t) {
      const { pod, ifName, result } = await t.add(await t.pod())
      const { mtu } = await linkOf(pod, ifName)
      const reported = result.interfaces.find(({ name, sandbox }) => name === ifName && sandbox)
      t.must(
        `mtu ${mtu} for ${ifName}, or none`,
        reported?.mtu === undefined || reported.mtu === mtu,
        reported,
      )
    },
  },
  {
    id: 'add.reports-addresses',
    level: 'MUST',
    rule: 'RS-03',
    title: 'every reported address of the interface is on it, and no other',
    requires: ['interface', 'addresses'],
    async run(t) {
      const { pod, ifName, result } = await t.add(await t.pod())
      const found = (await pod.at.addresses.list())
        .filter(({ link, scope }) => link === ifName && scope !== 'link')
        .map(({ address }) => address)
      const reported = result.ips.map(({ address }) => address)
      t.must(`${found.join(', ')} as ips`, [...found].sort().join() === [...reported].sort().join(), reported)
    },
  },
  {
    id: 'add.ips-point-at-interface',
    level: 'MUST',
    rule: 'RS-03',
    title: "every address of the sandbox's interface points at it in interfaces",
    requires: ['interface', 'addresses'],
    async run(t) {
      const { ifName, document } = await t.add(await t.pod())
      const interfaces = objectsIn(document.interfaces)
      for (const each of objectsIn(document.ips)) {
        const index = typeof each.interface === 'number' ? each.interface : -1
        t.must(
          `interface of ${each.address} to be the index of ${ifName}`,
          interfaces[index]?.name === ifName,
          each,
        )
      }
    },
  },
  {
    id: 'add.host-interfaces',
    level: 'MUST',
    rule: 'RS-02',
    title: 'every interface that the attachment made on the host is in the result',
    requires: ['new-interface'],
    async run(t) {
      await t.baseline()
      const before = new Set((await t.node.at.links.list()).map(({ name }) => name))
      const { result } = await t.add(await t.pod())
      const made = (await t.node.at.links.list()).map(({ name }) => name).filter((name) => !before.has(name))
      const reported = new Set(result.interfaces.filter(({ sandbox }) => !sandbox).map(({ name }) => name))
      t.none(
        'them all reported',
        made.filter((name) => !reported.has(name)),
      )
    },
  },
  {
    id: 'add.routes',
    level: 'MUST',
    rule: 'RS-04',
    title: 'every reported route is in the sandbox',
    requires: ['interface', 'addresses'],
    async run(t) {
      const { pod, result } = await t.add(await t.pod())
      const there = new Set((await pod.at.routes.list()).map(({ destination }) => destination))
      t.none(
        'them all there',
        result.routes.map(({ destination }) => destination).filter((each) => !there.has(each)),
      )
    },
  },
  {
    id: 'add.existing-refused',
    level: 'MUST',
    rule: 'AD-04',
    title:
      'ADD fails when the sandbox has an interface of that name, and leaves it and everything else alone',
    requires: ['new-interface'],
    async run(t) {
      await t.baseline()
      const pod = await t.pod()
      await pod.at.links.add({ kind: 'bridge', name: t.ifName, mtu: 1400 })
      const before = await t.inside(pod)
      const names = await t.snapshot()
      t.failed(await t.tryAdd(pod), `${t.ifName} exists`)
      t.none('the sandbox to be untouched', t.difference(before, await t.inside(pod)))
      t.none('nothing left on the node', t.difference(names, await t.snapshot()))
    },
  },
  {
    id: 'add.second-interface',
    level: 'MUST',
    rule: 'AD-06',
    title: 'a container is attached a second time under another interface name',
    requires: ['new-interface'],
    async run(t) {
      const pod = await t.pod()
      const first = await t.add(pod)
      const second = await t.add(pod, { ifName: 'net1' })
      const names = (await pod.at.links.list()).map(({ name }) => name)
      t.must('both interfaces', names.includes(first.ifName) && names.includes('net1'), names)
      const firsts = new Set(first.result.ips.map(({ address }) => addressOf(address)))
      const shared = second.result.ips
        .map(({ address }) => addressOf(address))
        .filter((each) => firsts.has(each))
      t.none('each with its own addresses', shared)
    },
  },
  {
    id: 'add.prev-result-kept',
    level: 'MUST',
    rule: 'AD-03',
    title: 'what a plugin before it made is in the result too',
    requires: ['interface'],
    async run(t) {
      const pod = await t.pod()
      const before = {
        cniVersion: t.list.cniVersion,
        interfaces: [{ name: 'before0', mac: '02:00:00:00:00:07', sandbox: pod.path }],
        ips: [{ address: '198.51.100.7/32', interface: 0 }],
        routes: [],
        dns: { nameservers: ['198.51.100.53'] },
      }
      const { document } = await t.add(pod, { config: { prevResult: before } })
      const names = objectsIn(document.interfaces).map(({ name }) => name)
      t.must('interface before0 still in the result', names.includes('before0'), document)
      const ip = objectsIn(document.ips).find(({ address }) => address === '198.51.100.7/32')
      t.must('its address still in the result', ip !== undefined, document)
      const pointed = objectsIn(document.interfaces)[typeof ip?.interface === 'number' ? ip.interface : -1]
      t.must('the address still to point at before0', pointed?.name === 'before0', document)
    },
  },
  {
    id: 'add.no-netns',
    level: 'MUST',
    rule: 'XP-10',
    title: 'ADD fails when CNI_NETNS names nothing, and leaves nothing on the node',
    requires: ['new-interface'],
    async run(t) {
      await t.baseline()
      const pod = await t.pod()
      const path = `${pod.path}-gone`
      const before = await t.snapshot()
      t.failed(await t.tryAdd(pod, { env: { CNI_NETNS: path } }), `there is no namespace at ${path}`)
      t.none('nothing left on the node', t.difference(before, await t.snapshot()))
    },
  },
  {
    id: 'add.missing-variable',
    level: 'MUST',
    rule: 'ER-06',
    title: 'a required variable that is missing is error 4, and named in the message',
    async run(t) {
      for (const name of ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME']) {
        const exchange = await t.tryAdd(await t.pod(), { env: { [name]: undefined } })
        t.failed(exchange, `${name} is missing`, 4)
        const message = errorOf(exchange)?.msg ?? ''
        t.must(`${name} in the message`, message.includes(name), message)
      }
    },
  },
  {
    id: 'add.undecodable',
    level: 'SHOULD',
    rule: 'ER-07',
    title: 'a configuration that is no JSON is error 6',
    async run(t) {
      t.failed(await t.tryAdd(await t.pod(), { stdin: '{"cniVersion": ' }), 'stdin is no JSON', 6)
    },
  },
  {
    id: 'add.failure-is-an-object',
    level: 'SHOULD',
    rule: 'ER-01',
    title: 'a failed ADD prints an error object with cniVersion, code and msg, and nothing else',
    async run(t) {
      const exchange = await t.tryAdd(await t.pod(), {
        env: { CNI_NETNS: '/nowhere/at-all' },
        config: { name: '' },
      })
      t.failed(exchange, 'it has no network name')
      const document = oneDocument(exchange)
      const { code, msg, cniVersion } = document
      t.must('a whole number as code', typeof code === 'number' && Number.isInteger(code), document)
      t.must('a message', typeof msg === 'string' && msg !== '', document)
      t.must(`cniVersion ${t.list.cniVersion}`, cniVersion === t.list.cniVersion, document)
    },
  },
]
