import { link, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  defaultStateFolder,
  installExecutable,
  socketPathFrom,
  stateVariable,
  thinClient,
  writeWholeFile,
} from '@podfabric/agent/exec'
import type { Output } from '../output.ts'
import { shippedFile } from '../package-folder.ts'
import { networkToInstall } from './network-to-install.ts'
import { nodeFolders } from './node-folders.ts'
import { nodePlugins } from './node-plugins.ts'
import { whoseExecutable } from './our-executable.ts'

/** The network list's file: early in the order by which runtimes take the first. */
export const listFile = '10-podfabric.conflist'
/** What somebody else's executable is called while ours stands in its place. */
export const setAside = '.before-podfabric'

/**
 * Writes an executable for each plugin, then the network list: at no moment is there a list without its plugins, or a path
 * without the old file or the new one. Somebody else's executables are kept under another name for `uninstall`.
 */
export async function install(options: Readonly<Record<string, unknown>>, output: Output): Promise<number> {
  const { bin, conf } = nodeFolders(options)
  const list = await networkToInstall({
    plugin: String(options.plugin),
    network: options.network === undefined ? undefined : String(options.network),
    cniVersion: String(options.cniVersion),
  })
  await mkdir(bin, { recursive: true })
  await mkdir(conf, { recursive: true })
  const client = await thinClient()
  const socket = resolve(socketPathFrom(process.env))
  const state = resolve(process.env[stateVariable] || defaultStateFolder)
  const script = shippedFile('bin/cni.js')
  for (const type of Object.keys(nodePlugins).sort()) {
    const path = join(bin, type)
    if ((await whoseExecutable(path)) === 'foreign') {
      await link(path, `${path}${setAside}`)
      output.note(`${path} was there already; it is kept as ${type}${setAside} until uninstall`)
    }
    await installExecutable({ path, client, socket, state, node: process.execPath, script })
    output.line(path)
  }
  await writeWholeFile(join(conf, listFile), list, 0o644)
  output.line(join(conf, listFile))
  if (client === undefined) {
    output.note('there is no thin client for this machine: every call starts Node, which is slower')
  }
  return 0
}
