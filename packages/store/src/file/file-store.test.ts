import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { manualClock, storeContract } from '../testing/index.ts'
import { fileStore } from './index.ts'

describe('the file store keeps the contract', () => {
  const create = (shared: boolean) => async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podfabric-store-'))
    const clock = manualClock()
    const path = join(folder, 'state')
    const store = await fileStore({ path, clock })
    const peer = shared ? await fileStore({ path, clock }) : store
    return {
      store,
      peer,
      advance: (ms: number) => clock.advance(ms),
      compact: () => store.compact(),
      close: async () => {
        await store.close()
        await peer.close()
        rmSync(folder, { recursive: true })
      },
    }
  }
  for (const { name, run } of storeContract(create(false))) test(`alone: ${name}`, run)
  for (const { name, run } of storeContract(create(true))) test(`with another client: ${name}`, run)
})
