import { type JsonObject, newestCniVersion, type PluginFactory } from '@podfabric/cni'
import { pluginHost } from '@podfabric/cni/skel'
import { type Report, run, verdictOf } from '@podfabric/conformance'
import { table } from '../output.ts'
import { shippedPlugins } from '../plugins.ts'

/** What the others delegate to. */
const delegates = pick(['bridge', 'host-local'])

function pick(types: readonly string[]): Readonly<Record<string, PluginFactory>> {
  return Object.fromEntries(Object.entries(shippedPlugins).filter(([type]) => types.includes(type)))
}

/** Puts every shipped plugin that makes a network through the suite, and shows what came of it by family. */
export async function conformanceTable(
  seed: number,
): Promise<{ readonly text: string; readonly conform: boolean }> {
  const types = ['sample', 'bridge', 'flannel'].filter((type) => Object.hasOwn(shippedPlugins, type))
  const reports: Report[] = []
  for (const type of types) {
    const factory = shippedPlugins[type]
    if (factory)
      reports.push(
        await run({ kind: 'factory', factory, plugins: delegates, config: exampleOf(factory) }, { seed }),
      )
  }
  const families = [...new Set(reports.flatMap(({ results }) => results.map(({ id }) => familyOf(id))))]
  const rows = families.map((family) => [family, ...reports.map((report) => cell(report, family))])
  const verdicts = ['', ...reports.map((report) => (verdictOf(report).ok ? 'conforms' : 'does not conform'))]
  const failures = reports.flatMap((report) =>
    report.results
      .filter(({ status }) => status === 'failed' || status === 'harness error')
      .map(({ id, level, title, status }) => `  ${report.subject}: ${id} [${level}] ${title}: ${status}`),
  )
  const text = [
    table(['FAMILY', ...reports.map(({ subject }) => subject.toUpperCase())], [...rows, verdicts]),
    ...failures,
  ].join('\n')
  return { text, conform: reports.every((report) => verdictOf(report).ok) }
}

const familyOf = (id: string) => id.split('.')[0] ?? id

/** Passed of those that apply. */
function cell({ results }: Report, family: string): string {
  const own = results.filter(({ id }) => familyOf(id) === family)
  const applicable = own.filter(({ status }) => status !== 'not applicable')
  return applicable.length === 0
    ? '–'
    : `${applicable.filter(({ status }) => status === 'passed').length}/${applicable.length}`
}

function exampleOf(factory: PluginFactory): JsonObject {
  const host = pluginHost(factory, () => {
    throw new TypeError('this host only shows what the plugin says of itself')
  })
  // In the newest version, which has all verbs. A configuration is JSON; only its type also says which keys it has for certain.
  return { ...host.example, cniVersion: newestCniVersion } as JsonObject
}
