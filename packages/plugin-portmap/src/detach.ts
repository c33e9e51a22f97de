import type { Namespace } from '@podfabric/cni'
import { detachCommands } from './attachment-rules.ts'
import { detachListed } from './detach-listed.ts'
import { families, familyIn, type Published } from './port-mapping.ts'
import { refusal } from './refusal.ts'
import { tableName, users } from './table.ts'

/** How often what is there is looked at again, where others come and go meanwhile. */
const ATTEMPTS = 8

/** Removes the attachment's entries as far as they are there, and the table behind the last attachment of the node. */
export async function detach(node: Namespace, chain: string, published: Published): Promise<void> {
  // Nothing is recorded: most often, nothing was published.
  if (published.mappings.length === 0 && !((await removeTable(node)) && (await isThere(node, chain)))) return
  const commands = families
    .filter((family) => published.mappings.some((each) => familyIn(each) === family))
    .flatMap((family) => detachCommands(family, chain, published))
  const isLeft =
    commands.length === 0 || (await refusal(['ENOENT', 'EBUSY'], node.nft.apply(commands))) !== undefined
  for (let attempt = 1; isLeft; attempt++) {
    // Some of it is not there, or others have a share in it: what is there says what to remove.
    const others = attempt < ATTEMPTS ? ['ENOENT', 'EBUSY'] : []
    if ((await refusal(others, detachListed(node.nft, chain))) === undefined) break
  }
  await removeTable(node)
}

/**
 * Takes the table away, unless there is an attachment: the kernel refuses then, whoever comes at the same time. Whether there is
 * still a table, of any family.
 */
export async function removeTable({ nft }: Namespace): Promise<boolean> {
  let stays = false
  for (const family of families) {
    const removal = nft.apply([
      { verb: 'delete', object: { kind: 'chain', family, table: tableName, name: users } },
      { verb: 'delete', object: { kind: 'table', family, name: tableName } },
    ])
    if ((await refusal(['ENOENT', 'EBUSY', 'EOPNOTSUPP'], removal)) === 'EBUSY') stays = true
  }
  return stays
}

/** Whether there is a chain of this name, for whom nothing is recorded: one that something leads to cannot be deleted. */
async function isThere({ nft }: Namespace, name: string): Promise<boolean> {
  for (const family of families) {
    const removal = nft.apply([{ verb: 'delete', object: { kind: 'chain', family, table: tableName, name } }])
    if ((await refusal(['ENOENT', 'EBUSY'], removal)) === 'EBUSY') return true
  }
  return false
}
