import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { NetworkList } from '@podfabric/cni'
import { type Check, error, orOk } from './check.ts'

export const pluginFiles: Check = {
  id: 'plugin-files',
  title: 'the plugins of each list are there',
  run({ files, folders }) {
    const problems = files.flatMap(({ path, list, ours }) =>
      namedPlugins(list)
        .filter((type) => !existsSync(join(folders.bin, type)))
        .map((type) =>
          error(
            `${path} names the plugin ${type}, and there is no ${join(folders.bin, type)}`,
            ours
              ? `podfabric install --bin-dir ${folders.bin}`
              : 'install the package that has it, or take the list away',
          ),
        ),
    )
    return orOk(problems, `they are in ${folders.bin}`)
  },
}

/** The types that a runtime executes for a list, and those that they delegate addresses to. */
export function namedPlugins(list: NetworkList | undefined): readonly string[] {
  const types = (list?.plugins ?? []).flatMap(({ type, ipam }) => {
    const delegate = typeof ipam === 'object' && ipam !== null && 'type' in ipam ? ipam.type : undefined
    return typeof delegate === 'string' ? [type, delegate] : [type]
  })
  return [...new Set(types)]
}
