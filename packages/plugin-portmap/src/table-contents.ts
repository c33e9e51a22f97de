import type { Nft, NftKey, NftMapping, NftObject, NftRule } from '@podfabric/kernel'
import type { Family } from './port-mapping.ts'
import { tableName } from './table.ts'

/** What the table of one family holds: read whole, so only for what is no everyday matter. */
export interface TableContents {
  readonly family: Family
  /** Undefined where there is no such chain. */
  rules(chain: string): readonly NftRule[] | undefined
  readonly chains: ReadonlySet<string>
  /** The mappings of a map; none where there is no such map. */
  map(name: string): readonly NftMapping[]
  set(name: string): readonly NftKey[]
  readonly sets: readonly string[]
}

/** Undefined where there is no table. */
export async function tableContents(nft: Nft, family: Family): Promise<TableContents | undefined> {
  return contentsIn(await nft.list(), family)
}

export function contentsIn(objects: readonly NftObject[], family: Family): TableContents | undefined {
  const isThere = objects.some((each) => each.kind === 'table' && isTable(each, family))
  if (!isThere) return undefined
  const rules = new Map<string, NftRule[]>()
  const maps = new Map<string, readonly NftMapping[]>()
  const sets = new Map<string, readonly NftKey[]>()
  for (const each of objects) {
    if (each.family !== family || each.kind === 'table' || each.table !== tableName) continue
    if (each.kind === 'chain') rules.set(each.name, rules.get(each.name) ?? [])
    else if (each.kind === 'set') sets.set(each.name, sets.get(each.name) ?? [])
    else if (each.kind === 'rule') rules.set(each.chain, [...(rules.get(each.chain) ?? []), each])
    else if (each.kind === 'elements' && 'map' in each)
      maps.set(each.map, [...(maps.get(each.map) ?? []), ...each.elements])
    else if (each.kind === 'elements') sets.set(each.set, [...(sets.get(each.set) ?? []), ...each.elements])
  }
  return {
    family,
    rules: (chain) => rules.get(chain),
    chains: new Set(rules.keys()),
    map: (name) => maps.get(name) ?? [],
    set: (name) => sets.get(name) ?? [],
    sets: [...sets.keys()],
  }
}

function isTable({ family, name }: { family: string; name: string }, wanted: Family): boolean {
  return family === wanted && name === tableName
}

/** A key as text, to compare. */
export function keyText(key: NftKey): string {
  return String(key)
}

/** The chain that an element of a verdict map goes to. */
export function goesTo({ to }: NftMapping): string | undefined {
  return typeof to === 'object' && 'goto' in to ? to.goto : undefined
}
