import type { JsonObject } from '@podfabric/cni'
import type { Case } from '../case.ts'
import { outcomeOf } from '../harness/exchange.ts'
import { hasSucceeded, oneDocument } from '../harness/expectations.ts'
import type { Harness } from '../harness/harness.ts'
import { objectsIn } from '../harness/objects.ts'

/** Released after this suite, or never. */
const unknownVersion = '99.0.0'

export const versionCases: readonly Case[] = [
  {
    id: 'version.output',
    level: 'MUST',
    rule: 'VR-02',
    title: 'VERSION prints cniVersion and the list supportedVersions, and exits with 0',
    async run(t) {
      const exchange = await ask(t, { cniVersion: t.list.cniVersion })
      t.succeeded(exchange)
      const { cniVersion, supportedVersions } = oneDocument(exchange)
      t.must('cniVersion to be a version', isVersion(cniVersion), cniVersion)
      const listed = Array.isArray(supportedVersions) && supportedVersions.length > 0
      t.must(
        'supportedVersions to list versions',
        listed && supportedVersions.every(isVersion),
        supportedVersions,
      )
    },
  },
  {
    id: 'version.echo',
    level: 'SHOULD',
    rule: 'VR-02',
    title: 'VERSION gives back the cniVersion that it was asked with',
    async run(t) {
      for (const version of t.versions) {
        const { cniVersion } = oneDocument(await ask(t, { cniVersion: version }))
        t.must(`cniVersion ${version}, as asked`, cniVersion === version, cniVersion)
      }
    },
  },
  {
    id: 'version.command-alone',
    level: 'MUST',
    rule: 'VR-03',
    title: 'VERSION needs no variable but CNI_COMMAND',
    async run(t) {
      const stdin = JSON.stringify({ cniVersion: t.list.cniVersion })
      t.succeeded(await t.call(t.node, 'VERSION', {}, { stdin, env: { CNI_PATH: undefined } }))
    },
  },
  {
    id: 'version.unknown-refused',
    level: 'MUST',
    rule: 'VS-05',
    title: 'a version that is not listed is refused, for it cannot be answered in',
    async run(t) {
      const pod = await t.pod()
      const before = await t.inside(pod)
      t.failed(await t.tryAdd(pod, { version: unknownVersion }), 'the version is not served')
      t.none('the sandbox to be untouched', t.difference(before, await t.inside(pod)))
    },
  },
  {
    id: 'version.unknown-code',
    level: 'SHOULD',
    rule: 'VS-04',
    title: 'a version that is not listed is refused with error 1',
    async run(t) {
      t.failed(await t.tryAdd(await t.pod(), { version: unknownVersion }), 'the version is not served', 1)
    },
  },
  {
    id: 'version.listed-served',
    level: 'MUST',
    rule: 'VS-05',
    title: 'every version that is listed is served by ADD and DEL',
    async run(t) {
      for (const version of t.versions) {
        const attachment = await added(t, version)
        t.succeeded(await t.tryDel(attachment, { version }))
      }
    },
  },
  {
    id: 'version.as-asked',
    level: 'MUST',
    rule: 'RS-01',
    title: "a result's cniVersion is the one of the request, in every version listed",
    async run(t) {
      for (const version of t.versions) {
        const attachment = await added(t, version)
        const { cniVersion } = attachment.document
        t.must(`a result of version ${version}`, cniVersion === version, cniVersion ?? 'no cniVersion')
        await t.tryDel(attachment, { version })
      }
    },
  },
  {
    id: 'version.shape',
    level: 'MUST',
    rule: 'RS-03',
    title: 'a result has the shape of its version: ip4 and ip6 before 0.3.0, ips[].version before 1.0.0',
    requires: ['addresses'],
    async run(t) {
      for (const version of t.versions) {
        const attachment = await added(t, version)
        checkShape(t, version, attachment.document)
        await t.tryDel(attachment, { version })
      }
    },
  },
  {
    id: 'version.no-newer-keys',
    level: 'SHOULD',
    rule: 'RS-07',
    title: 'a result before 1.1.0 has none of the keys that came with 1.1.0',
    async run(t) {
      for (const version of t.versions.filter((each) => each !== '1.1.0')) {
        const attachment = await added(t, version)
        const found = [
          ...objectsIn(attachment.document.interfaces).flatMap((each) =>
            keysIn(each, ['mtu', 'socketPath', 'pciID']),
          ),
          ...objectsIn(attachment.document.routes).flatMap((each) =>
            keysIn(each, ['mtu', 'advmss', 'priority', 'table', 'scope']),
          ),
        ]
        t.none(`no key of 1.1.0 in a result of ${version}`, found)
        await t.tryDel(attachment, { version })
      }
    },
  },
]

function ask(t: Harness, stdin: JsonObject) {
  return t.call(t.node, 'VERSION', {}, { stdin: JSON.stringify(stdin) })
}

/** A fresh pod, attached in this version. */
async function added(t: Harness, version: string) {
  const pod = await t.pod()
  const exchange = await t.tryAdd(pod, { version })
  t.must(
    `ADD to be served in version ${version}, which is listed`,
    hasSucceeded(exchange),
    outcomeOf(exchange),
  )
  return { pod, ifName: t.ifName, document: oneDocument(exchange), exchange, result: noResult }
}

const noResult = { interfaces: [], ips: [], routes: [] }

function checkShape(t: Harness, version: string, document: JsonObject): void {
  if (version === '0.1.0' || version === '0.2.0') {
    const families = ['ip4', 'ip6'].filter((key) => key in document)
    t.must(`ip4 or ip6 in a result of ${version}`, families.length > 0 && !('ips' in document), document)
    return
  }
  const ips = objectsIn(document.ips)
  t.must(`ips in a result of ${version}`, ips.length > 0, document)
  const old = version.startsWith('0.')
  for (const each of ips) {
    const address = typeof each.address === 'string' ? each.address : ''
    const family = address.includes(':') ? '6' : '4'
    t.must(`an address with prefix length in ips`, /\/\d+$/.test(address), each)
    if (old) t.must(`version "${family}" in ips of ${version}`, each.version === family, each)
    else t.must(`no version in ips of ${version}`, !('version' in each), each)
  }
}

function isVersion(value: unknown): value is string {
  return typeof value === 'string' && /^\d+\.\d+\.\d+$/.test(value)
}

function keysIn(each: JsonObject, keys: readonly string[]): readonly string[] {
  return keys.filter((key) => key in each)
}
