import { type Name, nameKey, parentOf } from '../message/name.ts'
import type { RecordData, ResourceRecord } from '../message/record.ts'

/** The records of one name, by type. Empty for a name that exists only because of others below it. */
export type RecordSets = ReadonlyMap<RecordData['type'], readonly ResourceRecord[]>

/**
 * Records by name, counted: a record put twice is there until it is taken twice. A name exists while it has a record, is
 * held, or has a name below it that exists (RFC 8020): what does not exist has nothing below it either.
 */
export interface RecordTree {
  /** True when the record was not there before. */
  put(record: ResourceRecord): boolean
  /** True when the record is no longer there. */
  take(record: ResourceRecord): boolean
  hold(name: Name): void
  release(name: Name): void
  /** `key` as `nameKey` gives it. Undefined: the name does not exist. */
  find(key: string): RecordSets | undefined
  records(): Iterable<ResourceRecord>
}

interface TreeNode {
  readonly sets: Map<RecordData['type'], RecordSet>
  /** What `find` gives; made anew after a change. */
  view: Map<RecordData['type'], readonly ResourceRecord[]> | undefined
  /** Holds, and names one label down. */
  holds: number
}

type RecordSet = Map<string, { readonly record: ResourceRecord; count: number }>

const noRecords: RecordSets = new Map()

export function recordTree(): RecordTree {
  const nodes = new Map<string, TreeNode>()

  function grow(key: string): TreeNode {
    const known = nodes.get(key)
    if (known) return known
    const node: TreeNode = { sets: new Map(), view: undefined, holds: 0 }
    nodes.set(key, node)
    const parent = parentOf(key)
    if (parent !== undefined) grow(parent).holds++
    return node
  }

  function prune(key: string, node: TreeNode): void {
    if (node.holds > 0 || node.sets.size > 0) return
    nodes.delete(key)
    const parentKey = parentOf(key)
    const parent = parentKey === undefined ? undefined : nodes.get(parentKey)
    if (parentKey === undefined || !parent) return
    parent.holds--
    prune(parentKey, parent)
  }

  return {
    put(record) {
      const node = grow(nameKey(record.name))
      const data = dataKey(record)
      let set = node.sets.get(record.type)
      if (!set) {
        set = new Map()
        node.sets.set(record.type, set)
      }
      const entry = set.get(data)
      if (entry) {
        entry.count++
        return false
      }
      set.set(data, { record, count: 1 })
      node.view = undefined
      return true
    },
    take(record) {
      const key = nameKey(record.name)
      const node = nodes.get(key)
      const set = node?.sets.get(record.type)
      const data = dataKey(record)
      const entry = set?.get(data)
      if (!node || !set || !entry) throw new RangeError(`no ${record.type} record of ${record.name} to take`)
      if (--entry.count > 0) return false
      set.delete(data)
      if (set.size === 0) node.sets.delete(record.type)
      node.view = undefined
      prune(key, node)
      return true
    },
    hold(name) {
      grow(nameKey(name)).holds++
    },
    release(name) {
      const key = nameKey(name)
      const node = nodes.get(key)
      if (!node || node.holds === 0) throw new RangeError(`${name} is not held`)
      node.holds--
      prune(key, node)
    },
    find(key) {
      const node = nodes.get(key)
      if (!node) return undefined
      if (node.sets.size === 0) return noRecords
      node.view ??= new Map(
        [...node.sets].map(([type, set]) => [type, [...set.values()].map(({ record }) => record)]),
      )
      return node.view
    },
    *records() {
      for (const { sets } of nodes.values()) {
        for (const set of sets.values()) for (const { record } of set.values()) yield record
      }
    },
  }
}

/** Equal for records of one name and type that say the same. The lifetime is no part of it. */
function dataKey(record: ResourceRecord): string {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return record.address
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return nameKey(record.target)
    case 'SRV':
      return `${record.priority} ${record.port} ${nameKey(record.target)}`
    case 'MX':
      return `${record.preference} ${nameKey(record.exchange)}`
    case 'TXT':
      return record.strings.map((string) => string.join()).join(' ')
    case 'SOA':
      return ''
    default:
      return record.data.join()
  }
}
