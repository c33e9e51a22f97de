import { type Question, rcode } from '../message/message.ts'
import { isWithin, type Name, nameKey } from '../message/name.ts'
import type { RecordData, ResourceRecord } from '../message/record.ts'
import type { RecordSets } from './record-tree.ts'
import type { Zone } from './zone.ts'

/** A server's answer to one question, before it becomes a message. */
export interface Resolution {
  readonly rcode: number
  readonly authoritative: boolean
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  readonly additionals: readonly ResourceRecord[]
}

export interface ResolveContext {
  /** A number from 0 (included) to 1 (excluded); puts the addresses in a new order for each answer. */
  readonly random: () => number
}

/** Other names followed inside one answer. */
const maxChain = 10

/**
 * Answers a question from the zone with the longest apex that it lies in. REFUSED outside of all of them (nothing is asked
 * of other servers), for zone transfers and for classes other than IN; SERVFAIL until that zone is synced. "No" comes with
 * the SOA record. The owner of an answer is the question's name in the question's own case.
 */
export function resolve(zones: readonly Zone[], question: Question, context: ResolveContext): Resolution {
  const { type } = question
  const key = nameKey(question.name)
  const home = homeOf(zones, key)
  if (!home || (question.class !== 'IN' && question.class !== 'ANY')) return failure(rcode.refused)
  if (type === 'AXFR' || type === 'IXFR') return failure(rcode.refused)
  if (!home.zone.synced) return failure(rcode.serverFailure)

  const answers: ResourceRecord[] = []
  const seen: string[] = []
  let name = question.name
  let place: Home = home
  for (;;) {
    const current = nameKey(name)
    seen.push(current)
    const sets = place.zone.find(current)
    if (!sets) return negative(place, rcode.noSuchName, answers)
    const set = type === 'ANY' ? firstSet(sets) : sets.get(type as RecordData['type'])
    if (set) {
      const found = arranged(set, name, context)
      return success(answers.length === 0 ? found : [...answers, ...found], addressesOf(set, zones))
    }
    const alias = sets.get('CNAME')?.[0]
    if (alias?.type !== 'CNAME') return negative(place, rcode.noError, answers)
    answers.push({ ...alias, name })
    name = alias.target
    const next = homeOf(zones, nameKey(name))
    if (!next || seen.length > maxChain || seen.includes(nameKey(name))) return success(answers, [])
    place = next
  }
}

interface Home {
  readonly zone: Zone
  readonly apex: Name
}

function homeOf(zones: readonly Zone[], key: string): Home | undefined {
  let home: Home | undefined
  for (const zone of zones) {
    for (const apex of zone.apexes) {
      if (isWithin(key, apex) && apex.length > (home?.apex.length ?? -1)) home = { zone, apex }
    }
  }
  return home
}

/** ANY gets one of the sets there are, never all of them (RFC 8482, section 4.1). */
function firstSet(sets: RecordSets): readonly ResourceRecord[] | undefined {
  for (const set of sets.values()) return set
  return undefined
}

/** The set in a new order, under the name that was asked for; the weight of SRV records shared out. */
function arranged(set: readonly ResourceRecord[], name: Name, { random }: ResolveContext): ResourceRecord[] {
  const weight = Math.max(1, Math.floor(100 / set.length))
  const records = set.map((record) =>
    record.type === 'SRV' ? { ...record, name, weight } : { ...record, name },
  )
  for (let last = records.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const [a, b] = [records[last], records[other]]
    if (a && b) {
      records[last] = b
      records[other] = a
    }
  }
  return records
}

/** Addresses of the targets, so that nobody has to ask again. */
function addressesOf(set: readonly ResourceRecord[], zones: readonly Zone[]): ResourceRecord[] {
  if (set[0]?.type !== 'SRV' && set[0]?.type !== 'NS') return []
  const targets = new Set<string>()
  for (const record of set) if (record.type === 'SRV' || record.type === 'NS') targets.add(record.target)
  return [...targets].flatMap((target) => {
    const sets = homeOf(zones, nameKey(target))?.zone.find(nameKey(target))
    return [...(sets?.get('A') ?? []), ...(sets?.get('AAAA') ?? [])].map((record) => ({
      ...record,
      name: target,
    }))
  })
}

function success(answers: readonly ResourceRecord[], additionals: readonly ResourceRecord[]): Resolution {
  return { rcode: rcode.noError, authoritative: true, answers, authorities: [], additionals }
}

function negative({ zone, apex }: Home, code: number, answers: readonly ResourceRecord[]): Resolution {
  return { rcode: code, authoritative: true, answers, authorities: [zone.soa(apex)], additionals: [] }
}

function failure(code: number): Resolution {
  return { rcode: code, authoritative: false, answers: [], authorities: [], additionals: [] }
}
