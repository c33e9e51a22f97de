import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type KubeObject, readManifests } from '@podfabric/kube'
import { Failure } from './failure.ts'
import type { Output } from './output.ts'

/**
 * Reads manifests from files and folders: of a folder, every `.yaml`, `.yml` and `.json` in it, by name. What is not
 * implemented is noted. With one mistake anywhere, nothing is returned: every mistake is named with its file, line and path.
 */
export async function loadManifests(
  paths: readonly string[],
  output: Output,
): Promise<readonly KubeObject[]> {
  const files = (await Promise.all(paths.map(manifestFiles))).flat()
  const read = await Promise.all(files.map(async (file) => readManifests(await readText(file), { file })))
  for (const { message } of read.flatMap(({ warnings }) => warnings)) output.note(`warning: ${message}`)
  const errors = read.flatMap((manifests) => manifests.errors)
  if (errors.length > 0) throw new Failure('usage', errors.map(({ message }) => message).join('\n'))
  const objects = read.flatMap((manifests) => manifests.objects.map(({ object }) => object))
  if (objects.length === 0) throw new Failure('usage', `${paths.join(', ')}: no object to apply`)
  return objects
}

async function manifestFiles(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((cause) => {
    throw new Failure('usage', `${path}: no such file or folder`, { cause })
  })
  if (!found.isDirectory()) return [path]
  const names = (await readdir(path)).filter((name) => /\.(ya?ml|json)$/.test(name)).sort()
  if (names.length === 0) throw new Failure('usage', `${path}: no .yaml, .yml or .json file in this folder`)
  return names.map((name) => join(path, name))
}

async function readText(file: string): Promise<string> {
  const bytes = await readFile(file).catch((cause) => {
    throw new Failure('usage', `${file}: cannot be read: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  })
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Failure('usage', `${file}: is not UTF-8 text`, { cause })
  }
}
