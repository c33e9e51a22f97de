import { isAbsolute } from 'node:path'
import { Failure } from '../failure.ts'

/** Where container runtimes look for plugins and for network lists. */
export interface NodeFolders {
  readonly bin: string
  readonly conf: string
}

/** The options `--bin-dir` and `--conf-dir`; what is kept there is found again by absolute paths alone. */
export function nodeFolders(options: Readonly<Record<string, unknown>>): NodeFolders {
  return { bin: folder(options, 'binDir', '--bin-dir'), conf: folder(options, 'confDir', '--conf-dir') }
}

function folder(options: Readonly<Record<string, unknown>>, key: string, flag: string): string {
  const path = options[key]
  if (typeof path === 'string' && isAbsolute(path)) return path
  throw new Failure('usage', `${flag} ${String(path)}: expected an absolute path`)
}
