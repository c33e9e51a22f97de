import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Namespace, NftObject } from '@podfabric/kernel'
import { linuxAvailable } from '../src/availability.ts'
import { linux } from '../src/linux.ts'
import { linuxFeatures } from '../src/testing/lab.ts'

/** Why nftables cannot be worked on here; undefined where they can. */
export function nftablesMissing(): string | undefined {
  const availability = linuxAvailable()
  if (!availability.available) return availability.reason
  return linuxFeatures().includes('nft') ? undefined : 'this kernel has no nftables'
}

/** Why they cannot be compared with nft(8). */
export function nftCommandMissing(): string | undefined {
  const { error } = spawnSync('nft', ['--version'])
  return nftablesMissing() ?? (error === undefined ? undefined : `nft could not be started: ${error.message}`)
}

/** A namespace with no rules in it, for this package and for nft(8) alike. */
export interface NftNamespace extends AsyncDisposable {
  readonly at: Namespace
  /** What nft prints. An error with its complaint where it fails. */
  nft(args: readonly string[], input?: string): string
}

export async function nftNamespace(): Promise<NftNamespace> {
  const directory = await mkdtemp(join(tmpdir(), 'kernel-nft-'))
  const kernel = linux({ directory })
  const netns = await kernel.netns.create('nft')
  const at = kernel.in(netns)
  return {
    at,
    nft(args, input = '') {
      const { error, status, stdout, stderr } = spawnSync(
        'nsenter',
        [`--net=${join(directory, 'nft')}`, 'nft', ...args],
        { input, encoding: 'utf8' },
      )
      if (error !== undefined) throw error
      if (status !== 0) throw new Error(`nft ${args.join(' ')}: ${stderr}${input}`)
      return stdout
    },
    async [Symbol.asyncDispose]() {
      await at[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
      await kernel.netns.delete('nft')
      await kernel[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    },
  }
}

/** Objects without the handles that the kernel gave. */
export function withoutHandles(objects: readonly NftObject[]): readonly NftObject[] {
  return objects.map((object) => {
    if (object.kind !== 'rule') return object
    const { handle, ...rest } = object
    return rest
  })
}
