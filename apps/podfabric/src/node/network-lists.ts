import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Log, type NetworkList, parseNetworkList } from '@podfabric/cni'
import { isMissing } from './is-missing.ts'
import { nodePlugins } from './node-plugins.ts'

/** The network lists of a folder whose plugins are all ours, in the order of their files' names. Others are none of ours. */
export async function ourNetworkLists(folder: string, log: Log): Promise<readonly NetworkList[]> {
  const lists: NetworkList[] = []
  for (const name of (await names(folder)).filter((name) => name.endsWith('.conflist')).sort()) {
    const file = join(folder, name)
    try {
      const list = parseNetworkList(await readFile(file, 'utf8'), { what: file })
      if (list.plugins.every(({ type }) => Object.hasOwn(nodePlugins, type))) lists.push(list)
    } catch (error) {
      log.warn('a network list cannot be read, and is left to its runtime', { file, error })
    }
  }
  return lists
}

async function names(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
