import type { Nft, NftCommand, NftKey, NftMapping } from '@podfabric/kernel'
import { elementsObject, ownerPrefix, removeChain } from './attachment-rules.ts'
import { families } from './port-mapping.ts'
import { users } from './table.ts'
import { contentsIn, goesTo, keyText, type TableContents } from './table-contents.ts'

/** Removes what leads to an attachment's chain, and the chain, as far as they are there: what the table holds is asked first. */
export async function detachListed(nft: Nft, chain: string): Promise<void> {
  const objects = await nft.list()
  const commands = families.flatMap((family) => {
    const contents = contentsIn(objects, family)
    return contents === undefined ? [] : commandsFor(contents, chain)
  })
  if (commands.length > 0) await nft.apply(commands)
}

/** The attachments' chains of a network, in whichever family. */
export async function chainsOf(nft: Nft, network: string): Promise<readonly string[]> {
  const objects = await nft.list()
  const found = families.flatMap((family) => {
    const contents = contentsIn(objects, family)
    return [...(contents?.chains ?? [])].filter((chain) =>
      contents?.rules(chain)?.some(({ comment }) => comment?.startsWith(ownerPrefix(network))),
    )
  })
  return [...new Set(found)]
}

function commandsFor(contents: TableContents, chain: string): readonly NftCommand[] {
  const { family } = contents
  if (!contents.chains.has(chain)) return []
  const isOwn = (element: NftMapping) => goesTo(element) === chain
  const whole = contents.map('claims').filter(isOwn)
  const single = contents.map('claims-at').filter(isOwn)
  const keys = new Set([...whole, ...single].map(({ key }) => keyText(key)))
  const [ports, addresses] = (['ports', 'addresses'] as const).map((name) =>
    contents.map(name).filter(({ key }) => keys.has(keyText(key))),
  )
  const targets = new Set([...(ports ?? []), ...(addresses ?? [])].map(targetText))
  const removals: readonly (readonly [string, readonly NftKey[] | readonly NftMapping[]])[] = [
    ['claims', [...whole, ...sharedOnlyBy(contents, chain)]],
    ['claims-at', single],
    ['ports', ports ?? []],
    ['addresses', addresses ?? []],
    ['localhost', contents.set('localhost').filter((key) => targets.has(keyText(key)))],
    ...contents.sets
      .filter((name) => /^(hairpin|all)-/.test(name))
      .map((name) => [name, contents.set(name).filter((key) => keys.has(claimIn(name, key)))] as const),
  ]
  return [
    ...removals
      .filter(([, elements]) => elements.length > 0)
      .map(
        ([name, elements]): NftCommand => ({
          verb: 'delete',
          object: elementsObject(family, name, elements),
        }),
      ),
    ...removeChain(family, chain),
    ...sharedOnlyBy(contents, chain).flatMap((element) => removeChain(family, goesTo(element) ?? '')),
  ]
}

/** What says that single addresses of a port are taken, where no other attachment has one. */
function sharedOnlyBy(contents: TableContents, chain: string): readonly NftMapping[] {
  const usedBy = (name: string) => leadsTo(contents, name)
  const shared = usedBy(chain).filter((target) => target !== users)
  const others = new Set([...contents.chains].filter((name) => name !== chain).flatMap(usedBy))
  return contents.map('claims').filter((element) => {
    const target = goesTo(element)
    return target !== undefined && shared.includes(target) && !others.has(target)
  })
}

function leadsTo(contents: TableContents, chain: string): readonly string[] {
  return (contents.rules(chain) ?? []).flatMap(({ expressions }) =>
    expressions.flatMap((each) => ('goto' in each ? [each.goto] : [])),
  )
}

/** `address,protocol,port` of what an element of `ports` or `addresses` leads to. */
function targetText({ key, to }: NftMapping): string {
  const protocol = Array.isArray(key) ? key.at(-2) : undefined
  const [address, port] = Array.isArray(to) ? to : []
  return keyText([address, protocol, port])
}

/** The claim that an element of a set of who is masqueraded belongs to: those of `hairpin-…` begin with a link's name. */
function claimIn(name: string, key: NftKey): string {
  const fields: readonly unknown[] = Array.isArray(key) ? key : [key]
  return String(name.startsWith('hairpin-') ? fields.slice(1) : fields)
}
