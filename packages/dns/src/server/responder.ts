import type { Endpoint } from '@podfabric/kernel'
import { DnsError } from '../dns-error.ts'
import { decodeMessage, encodeMessage, headerLength } from '../message/codec.ts'
import { type Edns, type Message, opcode, rcode } from '../message/message.ts'
import { uint16At } from '../message/reader.ts'
import { maxMessageLength } from '../message/writer.ts'
import { type Resolution, resolve } from '../zone/resolve.ts'
import type { Zone } from '../zone/zone.ts'
import type { DnsLog } from './log.ts'

/** Who asks, and how: an answer over UDP is cut to what the asker takes. */
export interface Asker {
  readonly transport: 'udp' | 'tcp'
  readonly source?: Endpoint
}

/**
 * From the octets of a question to the octets of its answer; pure but for `random`, and never throws. Undefined: say nothing,
 * because the message is too short to answer, or an answer itself.
 */
export interface Responder {
  answer(message: Uint8Array, asker: Asker): Uint8Array | undefined
}

export interface ResponderOptions {
  readonly zones: readonly Zone[]
  /** A number from 0 (included) to 1 (excluded). */
  readonly random: () => number
  readonly log: DnsLog
  /** The longest UDP answer, whatever the asker takes, in octets. Default 1232: no fragments on any common path. */
  readonly maxUdpLength?: number
}

/** What an asker without EDNS takes (RFC 1035, section 4.2.1). */
const plainUdpLength = 512

/**
 * The protocol side of a server. FORMERR: not a message with one question. NOTIMP: not a query. BADVERS: an EDNS version
 * other than 0. Everything else is as `resolve` says. Longer UDP answers are cut and marked as truncated.
 */
export function responder(options: ResponderOptions): Responder {
  const { zones, random, log, maxUdpLength = 1232 } = options

  function answer(bytes: Uint8Array, asker: Asker): Uint8Array | undefined {
    if (bytes.length < headerLength || isResponse(bytes)) return undefined
    if (opcodeOf(bytes) !== opcode.query) return headerOnly(bytes, rcode.notImplemented)
    let query: Message
    try {
      query = decodeMessage(bytes)
    } catch (error) {
      if (!(error instanceof DnsError)) throw error
      log.debug('refused a malformed dns message', { ...asker, code: error.code, reason: error.message })
      return headerOnly(bytes, rcode.formatError)
    }
    const question = query.questions[0]
    if (!question || query.questions.length > 1) return headerOnly(bytes, rcode.formatError)
    const limit = asker.transport === 'tcp' ? maxMessageLength : udpLimit(query.edns)
    const resolution =
      (query.edns?.version ?? 0) > 0 ? refusal(rcode.badVersion) : resolve(zones, question, { random })
    return encodeMessage(respond(query, resolution), { limit })
  }

  function udpLimit(edns: Edns | undefined): number {
    return edns === undefined
      ? plainUdpLength
      : Math.max(plainUdpLength, Math.min(edns.udpSize, maxUdpLength))
  }

  function respond(query: Message, resolution: Resolution): Message {
    const { edns } = query
    const message: Message = {
      id: query.id,
      response: true,
      opcode: query.opcode,
      authoritative: resolution.authoritative,
      truncated: false,
      recursionDesired: query.recursionDesired,
      recursionAvailable: false,
      authenticData: false,
      checkingDisabled: query.checkingDisabled,
      rcode: resolution.rcode,
      questions: query.questions,
      answers: resolution.answers,
      authorities: resolution.authorities,
      additionals: resolution.additionals,
    }
    if (edns === undefined) return message
    return { ...message, edns: { udpSize: maxUdpLength, version: 0, dnssecOk: edns.dnssecOk, options: [] } }
  }

  return {
    answer(bytes, asker) {
      try {
        return answer(bytes, asker)
      } catch (error) {
        log.error('failed to answer a dns message', { ...asker, error })
        return headerOnly(bytes, rcode.serverFailure)
      }
    },
  }
}

function isResponse(bytes: Uint8Array): boolean {
  return ((bytes[2] ?? 0) & 0x80) !== 0
}

function opcodeOf(bytes: Uint8Array): number {
  return ((bytes[2] ?? 0) >>> 3) & 0xf
}

function refusal(code: number): Resolution {
  return { rcode: code, authoritative: false, answers: [], authorities: [], additionals: [] }
}

/** An answer to a message of which no more than the header can be trusted: id, opcode and the wish for recursion. */
function headerOnly(bytes: Uint8Array, code: number): Uint8Array {
  const answer = new Uint8Array(headerLength)
  const flags = 0x8000 | (uint16At(bytes, 2) & 0x7900) | code
  answer.set(bytes.subarray(0, 2))
  answer[2] = flags >>> 8
  answer[3] = flags
  return answer
}
