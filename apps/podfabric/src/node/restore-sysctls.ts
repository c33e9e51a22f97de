import { type SysctlRecords, sysctlFate } from '@podfabric/agent'
import { bootOfMachine } from '@podfabric/agent/exec'
import { type Kernel, KernelError, type Namespace } from '@podfabric/kernel'

export interface RestoreOptions {
  readonly dryRun: boolean
  readonly line: (text: string) => void
  readonly note: (text: string) => void
  readonly failed: (error: unknown) => void
}

/**
 * Gives the node's settings the values that stood before our networks changed them. One that somebody else changed since is left
 * as it is, and that is said.
 */
export async function restoreSysctls(
  kernel: Kernel,
  { records, unreadable }: SysctlRecords,
  { dryRun, line, note, failed }: RestoreOptions,
): Promise<void> {
  for (const key of unreadable)
    note(`${key} cannot be read: what that setting was before us is not known; it stays`)
  if (records.length === 0) return
  const here = { boot: bootOfMachine(), netns: kernel.netns.host.id }
  const host = kernel.in(kernel.netns.host)
  try {
    for (const record of records) {
      const { name, before, wrote } = record
      try {
        const current = await settingOf(host, name)
        const fate = sysctlFate(record, here, current)
        if (fate === 'theirs') {
          note(`${name} stays ${current}: somebody else changed it after us, who made ${wrote} of ${before}`)
        }
        if (fate !== 'restore') continue
        if (!dryRun) await host.sysctl.set(name, before)
        line(`${dryRun ? 'would restore' : 'restored'} ${name} to ${before}`)
      } catch (error) {
        failed(error)
      }
    }
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

/** Undefined where it is gone: with its link, or with its module. */
export async function settingOf(host: Namespace, name: string): Promise<string | undefined> {
  try {
    return await host.sysctl.get(name)
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOENT') return undefined
    throw error
  }
}
