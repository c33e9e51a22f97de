import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Output } from '../output.ts'
import { listFile, setAside } from './install.ts'
import { isMissing } from './is-missing.ts'
import { nodeFolders } from './node-folders.ts'
import { nodePlugins } from './node-plugins.ts'
import { whoseExecutable } from './our-executable.ts'

/**
 * Takes away what `install` wrote, the list first, and puts back what stood there before. Goes on whatever fails, then says all
 * of it. What containers were attached with stays: their DEL needs it, so remove them first.
 */
export async function uninstall(options: Readonly<Record<string, unknown>>, output: Output): Promise<number> {
  const { bin, conf } = nodeFolders(options)
  const errors: unknown[] = []
  const attempt = (work: Promise<void>) => work.catch((error: unknown) => void errors.push(error))
  await attempt(remove(join(conf, listFile), output))
  for (const type of Object.keys(nodePlugins).sort()) await attempt(removeExecutable(join(bin, type), output))
  if (errors.length > 0) throw new AggregateError(errors, 'not everything could be taken away')
  return 0
}

async function removeExecutable(path: string, output: Output): Promise<void> {
  if ((await whoseExecutable(path)) === 'ours') await remove(path, output)
  if ((await whoseExecutable(path)) === 'foreign') return
  try {
    await rename(`${path}${setAside}`, path)
    output.note(`${path} is again what it was`)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

async function remove(path: string, output: Output): Promise<void> {
  try {
    await rm(path)
    output.line(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
