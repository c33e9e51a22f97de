import { spawnSync } from 'node:child_process'
import { Failure } from '../failure.ts'

/** The words before a command that put it in a user namespace of its own, with network and mounts (util-linux). */
export const unshareWords = ['unshare', '-Urnm', '--'] as const

/**
 * How this process comes to work on the machine's kernel: as it is (undefined), or started again behind `unshareWords`. Fails with
 * the reason `usage` where neither helps, and says what is missing.
 */
export async function wayToLinux(): Promise<readonly string[] | undefined> {
  const { linuxAvailable } = await import('@podfabric/kernel-linux')
  const availability = linuxAvailable()
  if (availability.available) return undefined
  if (process.platform !== 'linux') throw refusal(availability.reason)
  const [command, ...words] = [...unshareWords, 'true']
  const { error, status, stderr } = spawnSync(command, words, { encoding: 'utf8' })
  if (error)
    throw refusal(`${availability.reason} (package util-linux); unshare cannot be started: ${error.message}`)
  if (status === 0) return unshareWords
  const advice =
    'user namespaces are switched off: see the sysctls user.max_user_namespaces, kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns'
  throw refusal(`${availability.reason}; unshare -Urnm fails here (${stderr.trim()}), ${advice}`)
}

function refusal(reason: string): Failure {
  return new Failure('usage', `--kernel linux: ${reason}; or use --kernel sim, which needs nothing`)
}
