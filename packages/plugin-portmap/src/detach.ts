import type { Namespace } from '@podfabric/cni'
import { detachCommands } from './attachment-rules.ts'
import { detachListed } from './detach-listed.ts'
import { families, familyIn, type Published } from './port-mapping.ts'
import { refusal } from './refusal.ts'
import { tableName, users } from './table.ts'
import { contentsIn } from './table-contents.ts'

/** How often what is there is looked at again, where others come and go meanwhile. */
const ATTEMPTS = 8

/** Removes the attachment's entries as far as they are there. */
export async function detach({ nft }: Namespace, chain: string, published: Published): Promise<void> {
  const commands = families
    .filter((family) => published.mappings.some((each) => familyIn(each) === family))
    .flatMap((family) => detachCommands(family, chain, published))
  const isLeft =
    commands.length === 0 || (await refusal(['ENOENT', 'EBUSY'], nft.apply(commands))) !== undefined
  for (let attempt = 1; isLeft; attempt++) {
    // Some of it is not there, others have a share in it, or nothing is recorded: what is there says what to remove.
    const others = attempt < ATTEMPTS ? ['ENOENT', 'EBUSY'] : []
    if ((await refusal(others, detachListed(nft, chain))) === undefined) break
  }
}

/**
 * Takes the table away, unless there is an attachment: the kernel refuses then, whoever comes at the same time. What is refused
 * costs Linux a wait of many milliseconds, so it is asked first whether there is a table, and who has a chain in it.
 */
export async function removeTable({ nft }: Namespace): Promise<void> {
  const objects = await nft.list()
  for (const family of families) {
    const contents = contentsIn(objects, family)
    if (contents === undefined || [...contents.chains].some((name) => name.startsWith('of'))) continue
    const removal = nft.apply([
      { verb: 'delete', object: { kind: 'chain', family, table: tableName, name: users } },
      { verb: 'delete', object: { kind: 'table', family, name: tableName } },
    ])
    await refusal(['ENOENT', 'EBUSY'], removal)
  }
}
