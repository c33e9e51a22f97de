import type { PluginFactory } from '@podfabric/cni'
import { type CaseResult, cases, type Report, rules, run, type Status } from '@podfabric/conformance'
import bridge from '@podfabric/plugin-bridge'
import flannel from '@podfabric/plugin-flannel'
import hostLocal from '@podfabric/plugin-host-local'
import sample from '@podfabric/plugin-sample'
import { expect, it } from 'vitest'

const ipam = { type: 'host-local', subnet: '10.88.0.0/16' }
const plugins = { bridge, 'host-local': hostLocal } as Readonly<Record<string, PluginFactory>>

function subject(factory: unknown, type: string, keys: object, fewKeys?: object) {
  const config = (more: object) => ({ cniVersion: '1.1.0', name: 'example', type, ...more })
  const small = fewKeys && { config: config(fewKeys), addresses: 5 }
  // A factory takes the configuration that its own parse gives; here any does.
  return {
    kind: 'factory',
    factory: factory as PluginFactory,
    plugins,
    config: config(keys),
    ...(small && { small }),
  } as const
}

const few = { type: 'host-local', subnet: '10.88.0.0/29' }
const gateway = { isDefaultGateway: true, ipMasq: true }
const subjects = [
  subject(hostLocal, 'host-local', { ipam }, { ipam: few }),
  subject(sample, 'sample', { ipam }, { ipam: few }),
  subject(bridge, 'bridge', { ...gateway, ipam }, { ...gateway, ipam: few }),
  subject(flannel, 'flannel', { network: '10.244.0.0/16' }),
]

const marks: Readonly<Record<Status, string>> = {
  passed: '✓',
  failed: '✗',
  'not applicable': '–',
  'harness error': '!',
}

function page(reports: readonly Report[]): string {
  const names = reports.map(({ subject: name }) => name)
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const families = Map.groupBy(cases, ({ id }) => id.split('.')[0] ?? id)
  const results = reports.map(({ results: all }) => new Map(all.map((result) => [result.id, result])))
  const mark = (result: CaseResult | undefined) => (result ? marks[result.status] : '')
  const tables = [...families].map(([family, members]) =>
    [
      `## ${family}`,
      '',
      row(['case', 'level', 'clause', 'what a plugin does', ...names]),
      row(['---', '---', '---', '---', ...names.map(() => '---')]),
      ...members.map(({ id, level, rule, title }) =>
        row([`\`${id}\``, level, rule, title, ...results.map((each) => mark(each.get(id)))]),
      ),
    ].join('\n'),
  )
  const used = new Set(cases.map(({ rule }) => rule))
  const clauses = Object.entries(rules)
    .filter(([id]) => (used as ReadonlySet<string>).has(id))
    .map(([id, { where, level, says }]) => row([id, where, level, says]))
  return `# Conformance

Every case of the suite, and what the shipped plugins make of it on simulated kernels: ✓ holds, ✗ does not, – does not apply to it. This page
is made by a test; \`npm test -- apps/docs/test/conformance-page -u\` makes it anew.

${tables.join('\n\n')}

## Clauses

${[row(['clause', 'where', 'level', 'asks']), row(['---', '---', '---', '---']), ...clauses].join('\n')}
`
}

it('conformance.md says what the suite finds', { timeout: 120_000 }, async () => {
  const reports: Report[] = []
  for (const each of subjects) reports.push(await run(each))
  await expect(page(reports)).toMatchFileSnapshot('../conformance.md')
})
