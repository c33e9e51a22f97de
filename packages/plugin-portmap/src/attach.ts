import { codeOf, type Namespace } from '@podfabric/cni'
import { attachCommands } from './attachment-rules.ts'
import { removeTable } from './detach.ts'
import { detachListed } from './detach-listed.ts'
import { holderOf } from './holder.ts'
import { type Family, families, type Published } from './port-mapping.ts'
import { refusal } from './refusal.ts'
import { markCommands, tableCommands } from './table.ts'
import { contentsIn } from './table-contents.ts'

/** How often a transaction is tried again that others came in between of. */
const ATTEMPTS = 8

export interface Attaching {
  readonly chain: string
  readonly owner: string
  readonly network: string
  readonly published: Published
  readonly used: readonly Family[]
}

/**
 * Adds the attachment's entries, in one transaction for all families. Throws CNI_ADDRESS_IN_USE, naming the holder, where a port is
 * taken, and nothing is added then.
 */
export async function attach(
  node: Namespace,
  { chain, owner, network, published, used }: Attaching,
): Promise<void> {
  const { nft } = node
  const commands = used.flatMap((family) => attachCommands(family, chain, owner, published))
  for (let attempt = 1; ; attempt++) {
    try {
      return await nft.apply(commands)
    } catch (error) {
      const code = codeOf(error)
      if (attempt === ATTEMPTS || (code !== 'ENOENT' && code !== 'EEXIST')) throw error
      // The first one of the node, or the last one before it has just taken the table away.
      if (code === 'ENOENT') await setUp(node, used, published.markBit)
      else await makeWay(node, chain, network, published)
    }
  }
}

/** Where all of it was there already, ENOENT was about something that somebody took out by hand: the next attempt says what. */
async function setUp({ nft }: Namespace, used: readonly Family[], markBit: number): Promise<void> {
  for (const family of used) {
    for (const commands of [tableCommands(family), markCommands(family, markBit)]) {
      await refusal(['EEXIST'], nft.apply(commands))
    }
  }
}

/** Removes what an ADD of this attachment left that nobody has recorded; throws where somebody else has a port. */
async function makeWay(node: Namespace, chain: string, network: string, published: Published): Promise<void> {
  const { nft } = node
  const objects = await nft.list()
  const contents = families.flatMap((family) => contentsIn(objects, family) ?? [])
  if (contents.some(({ chains }) => chains.has(chain))) return detachListed(nft, chain)
  for (const each of contents) {
    const held = holderOf(each, published, network)
    if (held === undefined) continue
    // That of a family may have come for this ADD alone.
    await removeTable(node)
    throw held
  }
}
