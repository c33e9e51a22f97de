import type { Clock } from '@podfabric/kernel'
import { type Message, rcode } from '../message/message.ts'
import type { ResourceRecord } from '../message/record.ts'

/** Answers that may be used again until their time is over, as applications and node caches keep them. */
export interface AnswerCache {
  get(key: string): Message | undefined
  put(key: string, answer: Message): void
  clear(): void
}

/** Keeps at most `capacity` answers, the oldest leaving first; on `clock`, and never longer than their records say. */
export function answerCache(clock: Pick<Clock, 'now'>, capacity = 1000): AnswerCache {
  const kept = new Map<string, { readonly answer: Message; readonly until: number }>()
  return {
    get(key) {
      const entry = kept.get(key)
      if (!entry) return undefined
      if (entry.until > clock.now()) return entry.answer
      kept.delete(key)
      return undefined
    },
    put(key, answer) {
      const seconds = lifetime(answer)
      if (seconds <= 0) return
      kept.delete(key)
      for (const oldest of kept.keys()) {
        if (kept.size < capacity) break
        kept.delete(oldest)
      }
      kept.set(key, { answer, until: clock.now() + seconds * 1000 })
    },
    clear() {
      kept.clear()
    },
  }
}

/** Seconds: the shortest of the answers' own, or what the SOA record says of a "no" (RFC 2308, section 5). 0: not to be kept. */
function lifetime(answer: Message): number {
  if (answer.truncated || (answer.rcode !== rcode.noError && answer.rcode !== rcode.noSuchName)) return 0
  const soa = answer.authorities.find((record) => record.type === 'SOA')
  const negative = soa?.type === 'SOA' ? [Math.min(soa.ttl, soa.minimum)] : []
  const positive = answer.answers.map(({ ttl }: ResourceRecord) => ttl)
  const seconds = Math.min(...positive, ...negative)
  return Number.isFinite(seconds) ? seconds : 0
}
