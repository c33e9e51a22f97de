import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { formatTrailer, type Trailer } from './trailer.ts'
import { writeWholeFile } from './whole-file.ts'

export interface InstallExecutableOptions extends Trailer {
  /** The file that the container runtime is to execute; its name is the plugin's type. */
  readonly path: string
  /** The thin client's octets; undefined writes a shell script that starts Node for each call. Default: this machine's. */
  readonly client?: Uint8Array | undefined
}

/**
 * Writes a plugin's executable: the thin client with its trailer, or, where there is no client for this machine, a script for
 * `/bin/sh` that starts Node by its absolute path, whatever spaces that has and however long it is. Written
 * whole, mode 0755. The system's errors, and RangeError for a path that is not absolute.
 */
export async function installExecutable(options: InstallExecutableOptions): Promise<void> {
  const { path } = options
  const client = 'client' in options ? options.client : await thinClient()
  const trailer = formatTrailer(options)
  const octets = client === undefined ? shellScript(options) : Buffer.concat([client, trailer])
  await writeWholeFile(path, octets, 0o755)
}

/** The thin client for this machine, as this package's build made it; undefined where it made none. */
export async function thinClient(): Promise<Uint8Array | undefined> {
  const manifest = createRequire(import.meta.url).resolve('@podfabric/agent/package.json')
  const platform = `${process.platform}-${process.arch}`
  try {
    return await readFile(join(dirname(manifest), 'dist/client', platform, 'podfabric-cni'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** The kernel takes a shebang of 255 octets with one argument at most; a shell takes any path, in quotes. */
function shellScript({ socket, state, node, script }: Trailer): Uint8Array {
  const text = `#!/bin/sh
PODFABRIC_AGENT="\${PODFABRIC_AGENT:-"${inQuotes(socket)}"}"
PODFABRIC_STATE="\${PODFABRIC_STATE:-"${inQuotes(state)}"}"
export PODFABRIC_AGENT PODFABRIC_STATE
exec ${quoted(node)} ${quoted(script)} "\${0##*/}"
`
  return new TextEncoder().encode(text)
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** Between double quotes. */
function inQuotes(text: string): string {
  return text.replaceAll(/[\\"$`]/g, '\\$&')
}
