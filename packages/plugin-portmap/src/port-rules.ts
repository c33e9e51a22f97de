import {
  type AttachmentId,
  CniError,
  codeOf,
  type Kernel,
  type Namespace,
  onNode,
  type Resource,
} from '@podfabric/cni'
import type { NftCommand } from '@podfabric/kernel'
import {
  areMappings,
  attachCommands,
  detachCommands,
  ownChain,
  ownElements,
  ownerComment,
  sharedClaim,
  sharedPorts,
} from './attachment-rules.ts'
import { detachListed } from './detach-listed.ts'
import { holderOf } from './holder.ts'
import { type Family, families, familyIn, type Published } from './port-mapping.ts'
import { forgetAnsweredBy, forgetUntranslated } from './stale-flows.ts'
import { baseRules, markCommands, markSets, tableCommands, tableName, users } from './table.ts'
import { contentsIn, goesTo, keyText, type TableContents } from './table-contents.ts'

/** How often a transaction is tried again that others came in between of. */
const ATTEMPTS = 8

/**
 * The attachment's entries in the node's table. All come in one transaction, which the kernel refuses where one of the ports is
 * taken, in whichever network: then CNI_ADDRESS_IN_USE names the holder. UDP connections that the node followed before are
 * forgotten, so that their next packet is looked at anew.
 */
export function portRules(
  kernel: Kernel,
  network: string,
  attachment: AttachmentId,
  published: Published,
): Resource {
  const chain = ownChain(network, attachment)
  const owner = ownerComment(network, attachment)
  const used = families.filter((family) => published.mappings.some((each) => familyIn(each) === family))
  return {
    name: 'published ports',
    ensure: () =>
      onNode(kernel, async (node) => {
        await attach(node, { chain, owner, network, published, used })
        await forgetUntranslated(node, published)
      }),
    verify: () =>
      onNode(kernel, async ({ nft }) => {
        const objects = await nft.list()
        const missing = used.flatMap((family) => {
          const contents = contentsIn(objects, family)
          if (contents === undefined) return [`the table ${family} ${tableName}`]
          return [...missingRules(contents, published), ...missingElements(contents, chain, published)]
        })
        if (missing.length > 0) throw new CniError('CNI_CHECK_FAILED', `missing: ${missing.join(', ')}`)
      }),
    remove: () =>
      onNode(kernel, async (node) => {
        await detach(node, chain, published)
        await forgetAnsweredBy(node, published)
      }),
  }
}

interface Attaching {
  readonly chain: string
  readonly owner: string
  readonly network: string
  readonly published: Published
  readonly used: readonly Family[]
}

async function attach(node: Namespace, { chain, owner, network, published, used }: Attaching): Promise<void> {
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
      await unless('EEXIST', nft.apply(commands))
    }
  }
}

/** Removes what an ADD of this attachment left that nobody has recorded; throws where somebody else has a port. */
async function makeWay(
  { nft }: Namespace,
  chain: string,
  network: string,
  published: Published,
): Promise<void> {
  const objects = await nft.list()
  const contents = families.flatMap((family) => contentsIn(objects, family) ?? [])
  if (contents.some(({ chains }) => chains.has(chain))) return detachListed(nft, chain)
  for (const each of contents) {
    const held = holderOf(each, published, network)
    if (held !== undefined) throw held
  }
}

async function detach({ nft }: Namespace, chain: string, published: Published): Promise<void> {
  const commands = families.flatMap((family) =>
    published.mappings.some((each) => familyIn(each) === family)
      ? detachCommands(family, chain, published)
      : [],
  )
  const whole = commands.length > 0 ? [commands] : families.map((family) => probe(family, chain))
  try {
    for (const each of whole) await unless(commands.length > 0 ? '' : 'ENOENT', nft.apply(each))
    return
  } catch (error) {
    if (!isOther(error)) throw error
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await detachListed(nft, chain)
    } catch (error) {
      if (attempt === ATTEMPTS || !isOther(error)) throw error
    }
  }
}

/** Where nothing is recorded: ENOENT without the chain, EBUSY where something leads to it. */
function probe(family: Family, name: string): readonly NftCommand[] {
  return [{ verb: 'delete', object: { kind: 'chain', family, table: tableName, name } }]
}

/** Takes the table away, unless there is an attachment: the kernel refuses then, whoever comes at the same time. */
export async function removeTable(kernel: Kernel): Promise<void> {
  await onNode(kernel, async ({ nft }) => {
    for (const family of families) {
      const removal = nft.apply([
        { verb: 'delete', object: { kind: 'chain', family, table: tableName, name: users } },
        { verb: 'delete', object: { kind: 'table', family, name: tableName } },
      ])
      await unless('ENOENT', unless('EBUSY', removal))
    }
  })
}

function missingRules(contents: TableContents, { markBit, masquerade }: Published): readonly string[] {
  const { family } = contents
  const counts = new Map<string, number>()
  for (const { chain } of baseRules(family)) counts.set(chain, (counts.get(chain) ?? 0) + 1)
  if (masquerade !== 'none') {
    counts.set('mark', markSets(family, markBit).length)
    counts.set('postrouting', (counts.get('postrouting') ?? 0) + 1)
  }
  return [...counts].flatMap(([chain, count]) => {
    const found = contents.rules(chain)?.length ?? 0
    return found >= count ? [] : [`${count - found} of the rules in chain ${family} ${tableName} ${chain}`]
  })
}

function missingElements(contents: TableContents, chain: string, published: Published): readonly string[] {
  const { family } = contents
  const wanted = [
    ...ownElements(family, chain, published),
    ...sharedPorts(family, published).map((each) => ({ name: 'claims', elements: [sharedClaim(each)] })),
  ]
  const elements = wanted.flatMap(({ name, elements }) => {
    const there = new Set(
      areMappings(elements)
        ? contents.map(name).map((each) => `${keyText(each.key)} to ${valueText(each)}`)
        : contents.set(name).map(keyText),
    )
    const texts = areMappings(elements)
      ? elements.map((each) => `${keyText(each.key)} to ${valueText(each)}`)
      : elements.map(keyText)
    return texts.filter((text) => !there.has(text)).map((text) => `${text} in ${family} ${tableName} ${name}`)
  })
  return contents.chains.has(chain) ? elements : [`chain ${family} ${tableName} ${chain}`, ...elements]
}

function valueText(element: Parameters<typeof goesTo>[0]): string {
  return goesTo(element) ?? String(element.to)
}

async function unless(code: string, work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (codeOf(error) !== code) throw error
  }
}

function isOther(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'EBUSY'
}
