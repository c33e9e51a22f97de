import { existsSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { linux, linuxAvailable } from '@podfabric/kernel-linux'

/**
 * Takes away every namespace that is bound in a folder, and the folder. A name without a namespace behind it is what a user namespace
 * leaves that is gone; its file is removed. Goes through all, then throws what failed. Returns how many names there were.
 */
export async function clearNamespaces(directory: string): Promise<number> {
  if (!existsSync(directory)) return 0
  const names = readdirSync(directory)
  const kernel = linuxAvailable().available ? linux({ directory }) : undefined
  const errors: unknown[] = []
  for (const name of names) {
    try {
      if (kernel) await kernel.netns.delete(name)
      else unlinkSync(join(directory, name))
    } catch (error) {
      errors.push(error)
    }
  }
  await kernel?.[Symbol.asyncDispose]()
  if (errors.length > 0) throw new AggregateError(errors, `${directory}: namespaces are left over`)
  rmdirSync(directory)
  return names.length
}

/** The same for a Linux lab's whole folder: one folder of pods for each node, one of nodes. */
export async function clearLab(folder: string): Promise<number> {
  if (!existsSync(folder)) return 0
  let cleared = 0
  const errors: unknown[] = []
  for (const name of readdirSync(folder)) {
    try {
      cleared += await clearNamespaces(join(folder, name))
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `${folder}: not everything could be taken away`)
  rmdirSync(folder)
  return cleared
}
