import type { Clock, Sockets } from '@podfabric/kernel'
import type { Ip } from '@podfabric/netaddr'
import { DnsError } from '../dns-error.ts'
import { type Message, rcode, rcodeName } from '../message/message.ts'
import { labelsOf, type Name, nameKey, parseName } from '../message/name.ts'
import type { ResourceRecord } from '../message/record.ts'
import type { QuestionType } from '../message/record-type.ts'
import { reverseName } from '../zone/kube-records.ts'
import { type AnswerCache, answerCache } from './answer-cache.ts'
import { exchange } from './exchange.ts'
import type { ResolvConf } from './resolv-conf.ts'

export interface ResolverOptions {
  readonly conf: ResolvConf
  readonly sockets: Pick<Sockets, 'udp' | 'connect'>
  readonly clock: Clock
  /** A number from 0 (included) to 1 (excluded): the ids of questions. */
  readonly random: () => number
  /** Keep answers for as long as they say. Default false, as libc has it. */
  readonly cache?: boolean
  /** Default 53. */
  readonly port?: number
}

export interface LookupOptions {
  readonly signal?: AbortSignal | undefined
}

/** One name that was asked for on the way through the search list. */
export interface Attempt {
  readonly name: Name
  readonly rcode: number
  readonly answers: number
}

export interface Found {
  /** The full name that had records. */
  readonly name: Name
  /** Records of the type asked for, in the server's order, other names followed. */
  readonly records: readonly ResourceRecord[]
  readonly message: Message
  /** Everything that was asked for, the last being what was found. */
  readonly attempts: readonly Attempt[]
}

/** A stub resolver, as a pod's libc has one. */
export interface Resolver {
  /**
   * Records of a name as a program writes it: with fewer dots than `ndots` the search list comes first, otherwise the name
   * itself; a final dot keeps the search list out. `DNS_NO_NAME`, `DNS_NO_DATA`, `DNS_SERVER_FAILED`, `DNS_TIMEOUT`,
   * `DNS_NAME`.
   */
  find(name: string, type: QuestionType, options?: LookupOptions): Promise<Found>
  /** Addresses of a name: IPv4 and IPv6 asked for side by side, IPv4 first. Fails as `find` when there are none of either. */
  lookup(name: string, options?: LookupOptions): Promise<readonly Ip[]>
  /** Names of an address. */
  reverse(address: Ip, options?: LookupOptions): Promise<readonly Name[]>
  /** One question as it stands, without the search list: each server in turn, as often as the configuration says. */
  ask(name: Name, type: QuestionType, options?: LookupOptions): Promise<Message>
  /** Forgets the answers kept. */
  forget(): void
}

export function resolver(options: ResolverOptions): Resolver {
  const { conf, sockets, clock, random, port = 53 } = options
  const cache: AnswerCache | undefined = options.cache ? answerCache(clock) : undefined

  async function ask(name: Name, type: QuestionType, { signal }: LookupOptions = {}): Promise<Message> {
    const key = `${type} ${nameKey(name)}`
    const kept = cache?.get(key)
    if (kept) return kept
    const answer = await askServers(name, type, signal)
    cache?.put(key, answer)
    return answer
  }

  async function askServers(
    name: Name,
    type: QuestionType,
    signal: AbortSignal | undefined,
  ): Promise<Message> {
    if (conf.nameservers.length === 0) throw new DnsError('DNS_CONFIG', `no nameserver to ask for ${name}`)
    let failure: unknown
    for (let attempt = 0; attempt < conf.attempts; attempt++) {
      for (const address of conf.nameservers) {
        try {
          const question = { name, type, class: 'IN' } as const
          const answer = await exchange({ address, port }, question, {
            sockets,
            clock,
            random,
            timeout: conf.timeout,
            signal,
          })
          if (answer.rcode === rcode.noError || answer.rcode === rcode.noSuchName) return answer
          failure = new DnsError(
            'DNS_SERVER_FAILED',
            `${address} answered ${rcodeName(answer.rcode)} for ${name} ${type}`,
          )
        } catch (error) {
          if (signal?.aborted) throw error
          failure = error
        }
      }
    }
    if (failure instanceof DnsError) throw failure
    throw new DnsError('DNS_SERVER_FAILED', `no nameserver could be asked for ${name} ${type}`, {
      cause: failure,
    })
  }

  async function find(text: string, type: QuestionType, lookupOptions: LookupOptions = {}): Promise<Found> {
    const attempts: Attempt[] = []
    let failure: DnsError | undefined
    let noData = false
    for (const name of candidates(text, conf)) {
      let message: Message
      try {
        message = await ask(name, type, lookupOptions)
      } catch (error) {
        // A server that fails for one name may know the next; one that is silent will not.
        if (!(error instanceof DnsError) || error.code !== 'DNS_SERVER_FAILED') throw error
        failure = error
        attempts.push({ name, rcode: rcode.serverFailure, answers: 0 })
        continue
      }
      const records = recordsOf(message, name, type)
      attempts.push({ name, rcode: message.rcode, answers: records.length })
      if (records.length > 0) return { name, records, message, attempts }
      noData ||= message.rcode === rcode.noError
    }
    const asked = attempts.map(({ name }) => name).join(', ')
    if (failure) throw failure
    if (noData) throw new DnsError('DNS_NO_DATA', `${text} has no ${type} record; asked for ${asked}`)
    throw new DnsError('DNS_NO_NAME', `${text} does not exist; asked for ${asked}`)
  }

  async function lookup(name: string, lookupOptions: LookupOptions = {}): Promise<readonly Ip[]> {
    const outcomes = await Promise.allSettled([
      find(name, 'A', lookupOptions),
      find(name, 'AAAA', lookupOptions),
    ])
    const addresses = outcomes.flatMap((outcome) =>
      outcome.status === 'fulfilled' ? addressesIn(outcome.value) : [],
    )
    if (addresses.length > 0) return addresses
    const reasons: unknown[] = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason] : [],
    )
    // "Exists without an address" says more than "does not exist", and a failure says more than either.
    throw reasons.toSorted((a, b) => weight(b) - weight(a))[0]
  }

  return {
    find,
    lookup,
    ask,
    async reverse(address, lookupOptions) {
      const { records } = await find(`${reverseName(address)}.`, 'PTR', lookupOptions)
      return records.flatMap((record) => (record.type === 'PTR' ? [record.target] : []))
    },
    forget() {
      cache?.clear()
    },
  }
}

/** The full names that a written one may stand for, in the order in which they are asked for. */
export function candidates(text: string, conf: Pick<ResolvConf, 'search' | 'ndots'>): readonly Name[] {
  const name = parseName(text)
  if (name !== text || name === '.') return [name]
  const searched = conf.search.flatMap((domain) => {
    const full = domain === '.' ? name : `${name}.${domain}`
    // A name that becomes too long is no name: the next domain may be shorter.
    return full.length <= 253 ? [full] : []
  })
  const dots = labelsOf(name).length - 1
  return dots >= conf.ndots ? [name, ...searched] : [...searched, name]
}

/** The records of `type` that `name` leads to inside one answer, other names followed. */
function recordsOf({ answers }: Message, name: Name, type: QuestionType): readonly ResourceRecord[] {
  let key = nameKey(name)
  for (let followed = 0; followed <= answers.length; followed++) {
    const own = answers.filter((record) => nameKey(record.name) === key)
    const records = type === 'ANY' ? own : own.filter((record) => record.type === type)
    const alias = own.find((record) => record.type === 'CNAME')
    if (records.length > 0 || alias?.type !== 'CNAME') return records
    key = nameKey(alias.target)
  }
  return []
}

function addressesIn({ records }: Found): Ip[] {
  return records.flatMap((record) => (record.type === 'A' || record.type === 'AAAA' ? [record.address] : []))
}

function weight(reason: unknown): number {
  const code = reason instanceof DnsError ? reason.code : undefined
  if (code === 'DNS_NO_NAME') return 0
  return code === 'DNS_NO_DATA' ? 1 : 2
}
