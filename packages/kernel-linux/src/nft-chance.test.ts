import type { NftCommand } from '@podfabric/kernel'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NftNamespace, nftablesMissing, nftNamespace, withoutHandles } from '../test/nft-namespace.ts'
import { rulesets } from '../test/nft-ruleset.ts'

const missing = nftablesMissing()
const title = 'nftables of one namespace'

describe.skipIf(missing !== undefined)(
  missing === undefined ? title : `${title} (skipped: ${missing})`,
  () => {
    let place: NftNamespace
    beforeAll(async () => {
      place = await nftNamespace()
    })
    afterAll(() => place[Symbol.asyncDispose]())

    it('are listed as they were applied, whatever they are', async () => {
      const { nft } = place.at
      await fc.assert(
        fc.asyncProperty(rulesets, async (objects) => {
          const [table] = objects
          await nft.apply(objects.map((object): NftCommand => ({ verb: 'add', object })))
          const listed = await nft.list()
          await nft.apply([{ verb: 'delete', object: table }])
          expect(withoutHandles(listed)).toEqual(objects)
          expect(await nft.list()).toEqual([])
        }),
        { numRuns: 250 },
      )
    })
  },
)
