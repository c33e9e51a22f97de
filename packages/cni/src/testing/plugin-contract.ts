import assert from 'node:assert/strict'
import { CniError } from '../error.ts'
import { parsePluginType } from '../identifiers.ts'
import type { Json } from '../json.ts'
import { parseJson } from '../parse-json.ts'
import type { Plugin, PluginFactory } from '../plugin.ts'
import { parsePluginConfig } from '../plugin-config.ts'
import { inertContext, pluginHost } from '../skel/host.ts'
import { runVerb } from '../skel/run-verb.ts'
import { isCniVersion, newestCniVersion } from '../version.ts'

/** One test as data; a runner awaits `run`. */
export interface PluginCase {
  readonly name: string
  run(): Promise<void>
}

/**
 * What holds for every plugin without a network: its factory does nothing, it names itself and its versions, its example is one,
 * and its parser refuses with errors of the contract.
 */
export function pluginContract(factory: PluginFactory): readonly PluginCase[] {
  const host = () => pluginHost(factory, () => inertContext)
  const plugin = (): Plugin => factory(inertContext)
  return [
    {
      name: 'the factory does nothing with its context',
      async run() {
        host()
      },
    },
    {
      name: 'the plugin has the name of an executable and serves known versions, the newest among them',
      async run() {
        const { type, versions } = plugin()
        parsePluginType(type, 'type')
        assert.ok(versions.every(isCniVersion), `versions ${versions.join(', ')}`)
        assert.equal(new Set(versions).size, versions.length, 'a version is named twice')
        assert.ok(versions.includes(newestCniVersion), `${newestCniVersion} is missing`)
      },
    },
    {
      name: 'the example is a configuration that the plugin reads',
      async run() {
        const { example, parse } = plugin()
        parse(parsePluginConfig(parseJson(JSON.stringify(example))))
      },
    },
    {
      name: 'VERSION tells the versions that the plugin serves',
      async run() {
        const stdin = JSON.stringify({ cniVersion: '1.0.0' })
        const { stdout, exitCode } = await runVerb({ env: { CNI_COMMAND: 'VERSION' }, stdin }, host())
        assert.equal(exitCode, 0)
        assert.deepEqual(JSON.parse(stdout), { cniVersion: '1.0.0', supportedVersions: plugin().versions })
      },
    },
    {
      name: 'a configuration with a wrong value under any key of the example is read or refused with a CniError',
      async run() {
        const { example, parse } = plugin()
        const own = Object.keys(example).filter((key) => !['cniVersion', 'name', 'type'].includes(key))
        for (const key of own) {
          for (const wrong of wrongValues) {
            try {
              parse(parsePluginConfig({ ...(example as Record<string, Json>), [key]: wrong }))
            } catch (error) {
              assert.ok(error instanceof CniError, `${key}: ${JSON.stringify(wrong)} threw ${String(error)}`)
              assert.ok(error.message.includes(key), `the message does not name ${key}: ${error.message}`)
            }
          }
        }
      },
    },
  ]
}

const wrongValues: readonly Json[] = [
  null,
  true,
  -1,
  2 ** 53,
  '',
  '\u0000',
  'x'.repeat(1000),
  [],
  [null],
  {},
  { type: 1 },
]
