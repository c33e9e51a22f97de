import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '../is-missing.ts'
import { stateFileName } from '../recorded-state.ts'
import { type Check, error, ok, unknown, warning } from './check.ts'

export const stateFile: Check = {
  id: 'state-file',
  title: 'the state is sound',
  async run({ hidden, state: { folder, file, present, damage, attachments } }) {
    const aside = (await setAside(folder)).map((path) =>
      warning(
        `${path}: the state was damaged and set aside; what lived then was found again, other records are lost`,
        'look for the reason in the disk’s and the agent’s logs; then remove the file, nothing reads it',
      ),
    )
    if (!present) return [ok(`there is no ${file} yet`), ...aside]
    if (damage === undefined) return [ok(`${file}; attachments recorded: ${attachments.length}`), ...aside]
    if (hidden !== '') return [unknown(`${damage}; ${hidden}`)]
    return [
      error(
        `${file}: ${damage}`,
        'the next start of podfabric agent sets it aside, and finds again what lives; pods keep their addresses',
      ),
      ...aside,
    ]
  },
}

/** Each with its log counts once. */
async function setAside(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder)
    const damaged = names.filter(
      (name) => name.startsWith(`${stateFileName}.damaged-`) && !/-(wal|shm)$/.test(name),
    )
    return damaged.sort().map((name) => join(folder, name))
  } catch (problem) {
    if (isMissing(problem) || isRefused(problem)) return []
    throw problem
  }
}

/** Another user's folder: the state itself says so. */
function isRefused(problem: unknown): boolean {
  return (
    problem instanceof Error && 'code' in problem && (problem.code === 'EACCES' || problem.code === 'EPERM')
  )
}
