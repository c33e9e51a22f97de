import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing } from '../is-missing.ts'
import { type Check, error, type Finding, orOk, warning } from './check.ts'
import { namedPlugins } from './plugin-files.ts'

/** Files that runtimes must be able to execute and read, and those that nobody else may. */
export const permissions: Check = {
  id: 'permissions',
  title: 'files have the permissions that they need',
  async run({ files, folders, agent, state }) {
    const problems: Finding[] = []
    for (const { path, mode, list, ours } of files) {
      if (mode !== 0 && (mode & 0o400) === 0)
        problems.push(error(`${path} cannot be read`, `chmod 0644 ${path}`))
      for (const type of ours ? namedPlugins(list) : []) {
        const file = join(folders.bin, type)
        const bits = await modeOf(file)
        if (bits !== undefined && (bits & 0o111) === 0) {
          problems.push(error(`${file} cannot be executed`, `chmod 0755 ${file}`))
        }
      }
    }
    for (const path of [agent.socket, state.file, dirname(agent.socket), state.folder]) {
      const bits = await modeOf(path)
      if (bits === undefined || (bits & 0o077) === 0) continue
      const own = path === agent.socket || path === state.file
      const most = own ? '0600' : '0700'
      const found = `${path} has mode ${(bits & 0o777).toString(8).padStart(4, '0')}, should have ${most}`
      // Whoever may write to the socket may change this machine's network.
      problems.push(own ? error(found, `chmod ${most} ${path}`) : warning(found, `chmod ${most} ${path}`))
    }
    const unique = [...new Map(problems.map((each) => [each.finding, each])).values()]
    return orOk(unique, 'they do')
  },
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode
  } catch (missing) {
    if (isMissing(missing)) return undefined
    throw missing
  }
}
