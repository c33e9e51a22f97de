import { codeOf, type Namespace } from '@podfabric/cni'
import { detachCommands } from './attachment-rules.ts'
import { detachListed } from './detach-listed.ts'
import { families, familyIn, type Published } from './port-mapping.ts'
import { tableName, users } from './table.ts'
import { unless } from './unless.ts'

/** How often what is there is looked at again, where others come and go meanwhile. */
const ATTEMPTS = 8

/** Removes the attachment's entries as far as they are there, and the table behind the last attachment of the node. */
export async function detach(node: Namespace, chain: string, published: Published): Promise<void> {
  if (published.mappings.length === 0 && !(await isThere(node, chain))) return
  const commands = families
    .filter((family) => published.mappings.some((each) => familyIn(each) === family))
    .flatMap((family) => detachCommands(family, chain, published))
  const isDone = commands.length > 0 && (await unless(['ENOENT', 'EBUSY'], node.nft.apply(commands)))
  for (let attempt = 1; !isDone; attempt++) {
    // Some of it is not there, or others have a share in it: what is there says what to remove.
    const others = attempt < ATTEMPTS ? ['ENOENT', 'EBUSY'] : []
    if (await unless(others, detachListed(node.nft, chain))) break
  }
  await removeTable(node)
}

/** Takes the table away, unless there is an attachment: the kernel refuses then, whoever comes at the same time. */
export async function removeTable({ nft }: Namespace): Promise<void> {
  for (const family of families) {
    const removal = nft.apply([
      { verb: 'delete', object: { kind: 'chain', family, table: tableName, name: users } },
      { verb: 'delete', object: { kind: 'table', family, name: tableName } },
    ])
    await unless(['ENOENT', 'EBUSY', 'EOPNOTSUPP'], removal)
  }
}

/** Whether there is a chain of this name, for whom nothing is recorded: one that something leads to cannot be deleted. */
async function isThere({ nft }: Namespace, name: string): Promise<boolean> {
  for (const family of families) {
    const removal = nft.apply([{ verb: 'delete', object: { kind: 'chain', family, table: tableName, name } }])
    try {
      await unless(['ENOENT', 'EOPNOTSUPP'], removal)
    } catch (error) {
      if (codeOf(error) !== 'EBUSY') throw error
      return true
    }
  }
  return false
}
