import type { Name } from './name.ts'
import type { ResourceRecord } from './record.ts'
import type { QuestionType, RecordClass } from './record-type.ts'

export interface Question {
  /** In the asker's own upper and lower case. */
  readonly name: Name
  readonly type: QuestionType
  readonly class: RecordClass
}

/** EDNS(0), RFC 6891: carried as an OPT record, of which a message has at most one. */
export interface Edns {
  /** The largest UDP message that the sender takes, in octets. */
  readonly udpSize: number
  readonly version: number
  readonly dnssecOk: boolean
  readonly options: readonly { readonly code: number; readonly data: Uint8Array }[]
}

/** A DNS message (RFC 1035, section 4). Counts and lengths are not in it: they follow from the rest. */
export interface Message {
  /** 0 to 65535. */
  readonly id: number
  readonly response: boolean
  /** 0 to 15; see `opcode`. */
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly recursionDesired: boolean
  readonly recursionAvailable: boolean
  readonly authenticData: boolean
  readonly checkingDisabled: boolean
  /** 0 to 15, or to 4095 with EDNS; see `rcode`. */
  readonly rcode: number
  readonly questions: readonly Question[]
  readonly answers: readonly ResourceRecord[]
  readonly authorities: readonly ResourceRecord[]
  readonly additionals: readonly ResourceRecord[]
  readonly edns?: Edns
}

export const opcode = { query: 0, status: 2, notify: 4, update: 5 } as const

export const rcode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const

const rcodeNames = new Map<number, string>([
  [rcode.noError, 'NOERROR'],
  [rcode.formatError, 'FORMERR'],
  [rcode.serverFailure, 'SERVFAIL'],
  [rcode.noSuchName, 'NXDOMAIN'],
  [rcode.notImplemented, 'NOTIMP'],
  [rcode.refused, 'REFUSED'],
  [rcode.badVersion, 'BADVERS'],
])

/** `NXDOMAIN` for 3, as tools print it; `RCODE` and the number where there is no name. */
export function rcodeName(code: number): string {
  return rcodeNames.get(code) ?? `RCODE${code}`
}

/** A question to a server, with every flag off but the one that asks for recursion. */
export function query(id: number, question: Question, edns?: Edns): Message {
  return {
    id,
    response: false,
    opcode: opcode.query,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: rcode.noError,
    questions: [question],
    answers: [],
    authorities: [],
    additionals: [],
    ...(edns === undefined ? {} : { edns }),
  }
}
