import { areMappings, ownElements, sharedClaim, sharedPorts } from './attachment-rules.ts'
import type { Published } from './port-mapping.ts'
import { baseRules, markSets, tableName } from './table.ts'
import { goesTo, keyText, type TableContents } from './table-contents.ts'

/** Each thing of an attachment, or of the table, that is not there or leads elsewhere. */
export function missingIn(contents: TableContents, chain: string, published: Published): readonly string[] {
  return [...missingRules(contents, published), ...missingElements(contents, chain, published)]
}

function missingRules(contents: TableContents, { markBit, masquerade }: Published): readonly string[] {
  const { family } = contents
  const counts = new Map<string, number>()
  for (const { chain } of baseRules(family)) counts.set(chain, (counts.get(chain) ?? 0) + 1)
  if (masquerade !== 'none') {
    counts.set('masquerade-marks', markSets(family, markBit).length)
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
