import { CniError, parsePluginConfig } from '@podfabric/cni'
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
    // What flannel's `ipam` says is completed when a container comes.
    const own = keys.type === 'flannel' ? undefined : keys.ipam
    const delegate = typeof own === 'object' && own !== null && 'type' in own ? own.type : ''
    return [keys.type, String(delegate)].flatMap((type) => {
      const factory = Object.hasOwn(nodePlugins, type) ? nodePlugins[type] : undefined
      if (factory === undefined) return []
      try {
        const plugin = factory(inertContext)
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
