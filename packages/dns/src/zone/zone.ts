import type { Name } from '../message/name.ts'
import type { RecordOf } from '../message/record.ts'
import type { RecordSets } from './record-tree.ts'

/** What a server answers from, with authority over everything below its apexes. Names are keys, as `nameKey` gives them. */
export interface Zone {
  readonly apexes: readonly Name[]
  /** False until the zone knows what there is: an answer before that would be a lie. */
  readonly synced: boolean
  /** Undefined: there is no such name. Without sets: the name exists and has no records. */
  find(key: string): RecordSets | undefined
  /** The record that says how long "no" may be kept (RFC 2308). */
  soa(apex: Name): RecordOf<'SOA'>
}
