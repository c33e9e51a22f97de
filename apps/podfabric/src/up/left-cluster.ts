import { existsSync, readdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { StateFolder } from './state-folder.ts'

/** Takes away the namespaces and agents' sockets that a cluster left which was killed; returns how many namespaces. None may be up. */
export async function clearLeft({ path, namespaces }: StateFolder): Promise<number> {
  if (!existsSync(namespaces)) return 0
  for (const name of readdirSync(path)) if (/^agent-.*\.sock$/.test(name)) unlinkSync(join(path, name))
  const { clearLab } = await import('../lab/left-namespaces.ts')
  return clearLab(namespaces)
}

export function leftWords(count: number): string {
  return `a cluster that did not end had left ${count} network namespaces; they are gone now`
}
