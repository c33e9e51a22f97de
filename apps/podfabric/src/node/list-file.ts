import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CniError, type JsonObject, type NetworkList, parseNetworkList } from '@podfabric/cni'
import { isMissing } from './is-missing.ts'
import { nodePlugins } from './node-plugins.ts'

/** A file of the folder that container runtimes read networks from. */
export interface ListFile {
  readonly path: string
  readonly mode: number
  /** Undefined where it cannot be read as one, and `problem` says why. */
  readonly list: NetworkList | undefined
  readonly problem: string | undefined
  /** Whether all its plugins are ours. */
  readonly ours: boolean
}

/** The files that runtimes take for networks, in the order in which they look; none where there is no such folder. */
export async function listFiles(folder: string): Promise<readonly ListFile[]> {
  const files: ListFile[] = []
  for (const name of (await names(folder)).sort()) {
    if (/\.(conf|conflist|json)$/.test(name)) files.push(await read(join(folder, name)))
  }
  return files
}

async function read(path: string): Promise<ListFile> {
  let mode = 0
  try {
    mode = (await stat(path)).mode
    const list = parsed(await readFile(path, 'utf8'), path)
    const ours = list.plugins.every(({ type }) => Object.hasOwn(nodePlugins, type))
    return { path, mode, list, problem: undefined, ours }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return {
      path,
      mode,
      list: undefined,
      problem: said.includes(path) ? said : `${path}: ${said}`,
      ours: false,
    }
  }
}

/** `.conf` files hold one plugin's configuration, which runtimes read as a list of one. */
function parsed(text: string, path: string): NetworkList {
  if (path.endsWith('.conflist')) return parseNetworkList(text, { what: path })
  try {
    return parseNetworkList(text, { what: path })
  } catch (error) {
    const single = error instanceof CniError && error.message.includes('the configuration of one plugin')
    if (!single) throw error
    const { cniVersion, name, ...plugin } = JSON.parse(text) as JsonObject
    return parseNetworkList(JSON.stringify({ cniVersion, name, plugins: [plugin] }), { what: path })
  }
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
