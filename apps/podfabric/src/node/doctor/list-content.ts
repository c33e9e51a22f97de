import { CniError, type Plugin, parsePluginConfig } from '@podfabric/cni'
import { inertContext } from '@podfabric/cni/skel'
import type { ListFile } from '../list-file.ts'
import { nodePlugins } from '../node-plugins.ts'
import { type Check, error, type Finding, orOk } from './check.ts'

/** Each file is read as its runtime does, and each configuration as our plugin does. */
export const listContent: Check = {
  id: 'list-content',
  title: 'the network lists make sense',
  run({ files, folders }) {
    if (files.length === 0) {
      return [
        error(`there is no network list in ${folders.conf}`, `podfabric install --conf-dir ${folders.conf}`),
      ]
    }
    return orOk(files.flatMap(problemsOf), `${files.length} read`)
  },
}

function problemsOf({ path, list, problem, ours }: ListFile): readonly Finding[] {
  if (list === undefined)
    return [error(problem ?? `${path} cannot be read`, 'correct the file, or take it away')]
  if (!ours) return []
  return list.plugins.flatMap(({ capabilities, ...keys }, index) => {
    const given = { ...keys, cniVersion: list.cniVersion, name: list.name }
    const attaching = pluginOf(keys.type)
    // A plugin that knows which IPAM plugin is meant completes what that one is told, when a container comes.
    const told = attaching?.ipamType === undefined ? keys.ipam : undefined
    const delegate = typeof told === 'object' && told !== null && 'type' in told ? String(told.type) : ''
    return [attaching, pluginOf(delegate)].flatMap((plugin) => {
      if (plugin === undefined) return []
      const { type } = plugin
      try {
        plugin.parse(parsePluginConfig({ ...given, type: keys.type }, plugin))
        return []
      } catch (refusal) {
        if (!(refusal instanceof CniError)) throw refusal
        const details = refusal.details === undefined ? '' : ` (${refusal.details})`
        return [error(`${path}: plugins[${index}], ${type}: ${refusal.message}${details}`, 'correct the key')]
      }
    })
  })
}

function pluginOf(type: string): Plugin | undefined {
  return Object.hasOwn(nodePlugins, type) ? nodePlugins[type]?.(inertContext) : undefined
}
