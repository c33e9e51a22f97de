import { KernelError } from '@podfabric/kernel'
import { checked, kernelError, type Label, labelText, negated } from './errno.ts'
import { inNamespace } from './namespace-window.ts'
import {
  Attributes,
  aligned,
  fixedHeader,
  type NetlinkMessage,
  type NetlinkWriter,
  NLM_F_ACK,
  NLM_F_ACK_TLVS,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  netlinkMessages,
} from './netlink-message.ts'
import { MSG_DONTWAIT, type Syscalls } from './syscall.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
const NLMSGERR_ATTR_MSG = 1
export const NETLINK_ROUTE = 0
export const NETLINK_NETFILTER = 12
const EAGAIN = negated('EAGAIN')
const ENOBUFS = negated('ENOBUFS')
const EMSGSIZE = negated('EMSGSIZE')

/** How often a dump that the tables changed under is taken again before giving up. */
const DUMP_ATTEMPTS = 20

export interface BatchFailure {
  /** The negated errno. */
  readonly result: number
  readonly sequence: number
  readonly flags: number
  /** struct nlmsgerr, and behind its 20 octets what the kernel says in attributes. */
  readonly payload: Uint8Array
}

const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_SNDBUFFORCE = 32
/** Octets; net.core.wmem_default is not less. */
const DEFAULT_BUFFER = 128 * 1024

/**
 * So many requests go in one send. Their acknowledgements must fit into the socket's buffer (net.core.rmem_default, some
 * 700 octets each with what the kernel counts beside them), and the requests into what it takes at once.
 */
const REQUESTS_AT_ONCE = 100
const OCTETS_AT_ONCE = 64 * 1024

export interface NetlinkRequest {
  readonly writer: NetlinkWriter
  readonly operation: Label
}

/** What became of one request of several: refused, or done. */
export type NetlinkResult = KernelError | undefined

/** A netlink socket in one namespace. The kernel works while it sends, so answers are there when `send` returns. */
export class NetlinkSocket {
  readonly #sys: Syscalls
  #fd: number
  #sequence = 0

  /** Opens it in the namespace that `namespaceFd` names, and keeps that alive. */
  constructor(sys: Syscalls, namespaceFd: number, protocol: number = NETLINK_ROUTE) {
    this.#sys = sys
    this.#fd = inNamespace(sys, namespaceFd, () =>
      checked(sys.socket(AF_NETLINK, SOCK_RAW, protocol), 'netlink socket'),
    )
    // Older kernels know less; messages are then shorter and dumps longer, nothing else.
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
      sys.setOption(this.#fd, SOL_NETLINK, option, 1)
    }
  }

  /** Sends a request and returns the messages that answer it, without the acknowledgement. */
  request(writer: NetlinkWriter, operation: Label): readonly NetlinkMessage[] {
    const sequence = this.#next()
    checked(this.#sys.send(this.#fd, writer.finish(sequence, NLM_F_ACK), 0), operation)
    return this.#answers(sequence, operation).messages
  }

  /** The one message that answers a question; EPROTO where there is none. */
  question(writer: NetlinkWriter, operation: Label): NetlinkMessage {
    const sequence = this.#next()
    // It is answered by that message or by an error: an acknowledgement besides would be one more to receive.
    checked(this.#sys.send(this.#fd, writer.finish(sequence, 0), 0), operation)
    for (;;) {
      for (const message of this.#received(operation)) {
        if (message.sequence !== sequence) continue
        if (message.type !== NLMSG_ERROR) return message
        throw refusal(message, operation) ?? new KernelError('EPROTO', labelText(operation), 'no answer came')
      }
    }
  }

  /**
   * Several requests in order, in as few sends as they fit into, with a result for each: the kernel goes on after one that
   * it refuses. Answers other than acknowledgements are passed over.
   */
  requests(requests: readonly NetlinkRequest[]): readonly NetlinkResult[] {
    return this.#sends(requests).flatMap(({ first, octets, part }) => {
      const sent = this.#sys.send(this.#fd, octets, 0)
      return sent < 0 ? refusedAll(part, sent) : this.#acknowledgements(first, part)
    })
  }

  /** As `requests`, for what blocks in the kernel: sent on another thread. Nothing else may use the socket meanwhile. */
  async requestsAside(requests: readonly NetlinkRequest[]): Promise<readonly NetlinkResult[]> {
    const results: NetlinkResult[] = []
    for (const { first, octets, part } of this.#sends(requests)) {
      const sent = await this.#sys.sendAside(this.#fd, octets)
      if (sent < 0) results.push(...refusedAll(part, sent))
      else results.push(...this.#acknowledgements(first, part))
    }
    return results
  }

  /**
   * All messages of a dump. It is taken again when the tables changed under it, or when the answers did not fit into the
   * socket's buffer; EBUSY or ENOBUFS when that goes on.
   */
  dump(make: () => NetlinkWriter, operation: Label): readonly NetlinkMessage[] {
    let lost: KernelError | undefined
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const sequence = this.#next()
      checked(this.#sys.send(this.#fd, make().finish(sequence, NLM_F_DUMP), 0), operation)
      try {
        const { messages, interrupted } = this.#answers(sequence, operation)
        if (!interrupted) return messages
        lost = undefined
      } catch (error) {
        if (!(error instanceof KernelError) || error.code !== 'ENOBUFS') throw error
        lost = error
      }
    }
    if (lost !== undefined) throw lost
    throw new KernelError(
      'EBUSY',
      labelText(operation),
      `the table changed during each of ${DUMP_ATTEMPTS} dumps`,
    )
  }

  /** Takes so many sequence numbers in a row, for `batch`; the first. */
  reserve(count: number): number {
    const first = this.#next()
    this.#sequence = first + count - 1
    return first
  }

  /**
   * Sends messages as one batch of nfnetlink, numbered from `first` on; one of them asks for an acknowledgement.
   * Returns the first failure, in the order of the messages, or undefined.
   */
  batch(messages: readonly Uint8Array[], first: number, operation: Label): BatchFailure | undefined {
    const batch = new Uint8Array(messages.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const message of messages) {
      batch.set(message, at)
      at += message.length
    }
    this.#makeRoom(batch.length)
    checked(this.#sys.send(this.#fd, batch, 0), operation)
    let failure: BatchFailure | undefined
    for (let answered = false; ; ) {
      const received = this.#sys.receiveData(this.#fd, MSG_DONTWAIT)
      if (received === negated('EAGAIN')) {
        if (answered) return failure
        throw new KernelError('EIO', labelText(operation), 'the kernel did not answer')
      }
      // So many errors that not all of them found room: the first ones did.
      if (received === negated('ENOBUFS') && failure !== undefined) continue
      if (typeof received === 'number') throw kernelError(received, operation)
      for (const { type, sequence, flags, payload } of netlinkMessages(received)) {
        if (type !== NLMSG_ERROR || sequence < first || sequence >= first + messages.length) continue
        answered = true
        const result = fixedHeader(payload, 20).getInt32(0, true)
        if (result < 0 && (failure === undefined || sequence < failure.sequence)) {
          failure = { result, sequence, flags, payload }
        }
      }
    }
  }

  /** For a batch that is longer than what a socket takes at once; the limit is root's to pass. */
  #makeRoom(length: number): void {
    if (length <= DEFAULT_BUFFER / 2) return
    if (this.#sys.setOption(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, 2 * length) < 0) {
      this.#sys.setOption(this.#fd, SOL_SOCKET, SO_SNDBUF, 2 * length)
    }
  }

  /** Whatever is asked of it afterwards is EBADF. */
  close(): void {
    if (this.#fd >= 0) this.#sys.close(this.#fd)
    this.#fd = -1
  }

  /** The requests joined into what is sent at once; `first` is the sequence number of the first in each. */
  #sends(requests: readonly NetlinkRequest[]) {
    const sends: { first: number; octets: Uint8Array; part: NetlinkRequest[] }[] = []
    let messages: Uint8Array[] = []
    let part: NetlinkRequest[] = []
    let length = 0
    let first = 0
    const close = () => {
      if (part.length > 0) sends.push({ first, octets: joined(messages, length), part })
      messages = []
      part = []
      length = 0
    }
    for (const request of requests) {
      const sequence = this.#next()
      const message = request.writer.finish(sequence, NLM_F_ACK)
      if (part.length === REQUESTS_AT_ONCE || length + message.length > OCTETS_AT_ONCE) close()
      if (part.length === 0) first = sequence
      messages.push(message)
      part.push(request)
      length += aligned(message.length)
    }
    close()
    return sends
  }

  /** The acknowledgements of requests with consecutive sequence numbers, wherever in the answers they are. */
  #acknowledgements(first: number, requests: readonly NetlinkRequest[]): readonly NetlinkResult[] {
    const results = new Map<number, NetlinkResult>()
    let problem: ((operation: Label) => KernelError) | undefined
    while (results.size < requests.length) {
      const received = this.#sys.receiveData(this.#fd, MSG_DONTWAIT)
      // Some did not fit into the socket's buffer; those that did are behind this error.
      if (received === ENOBUFS) {
        problem = lostAnswer
      } else if (typeof received === 'number') {
        problem ??= received === EAGAIN ? noAnswer : (operation) => kernelError(received, operation)
        break
      } else {
        for (const message of netlinkMessages(received)) {
          const index = (message.sequence - first) >>> 0
          const operation = requests[index]?.operation
          if (operation === undefined || message.type !== NLMSG_ERROR) continue
          results.set(index, refusal(message, operation))
        }
      }
    }
    return requests.map(({ operation }, index) =>
      results.has(index) ? results.get(index) : (problem ?? noAnswer)(operation),
    )
  }

  #next(): number {
    this.#sequence = (this.#sequence + 1) >>> 0
    return this.#sequence
  }

  #received(operation: Label): readonly NetlinkMessage[] {
    const received = this.#sys.receiveData(this.#fd, MSG_DONTWAIT)
    if (typeof received !== 'number') return netlinkMessages(received)
    if (received === EAGAIN) throw noAnswer(operation)
    if (received === ENOBUFS) throw lostAnswer(operation)
    if (received === EMSGSIZE) throw new KernelError('EPROTO', labelText(operation), 'the answer was cut off')
    throw kernelError(received, operation)
  }

  /** Up to the acknowledgement or the end of the dump; leftovers of earlier requests are passed over. */
  #answers(sequence: number, operation: Label): { messages: NetlinkMessage[]; interrupted: boolean } {
    const messages: NetlinkMessage[] = []
    let interrupted = false
    for (;;) {
      for (const message of this.#received(operation)) {
        if (message.sequence !== sequence) continue
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true
        if (message.type === NLMSG_DONE) {
          checkDone(message, operation)
          return { messages, interrupted }
        }
        if (message.type === NLMSG_ERROR) {
          const refused = refusal(message, operation)
          if (refused !== undefined) throw refused
          return { messages, interrupted }
        }
        messages.push(message)
      }
    }
  }
}

function checkDone({ payload, flags }: NetlinkMessage, operation: Label): void {
  const result = payload.length < 4 ? 0 : fixedHeader(payload, 4).getInt32(0, true)
  if (result < 0) throw kernelError(result, operation, flags & NLM_F_ACK_TLVS ? said(payload, 4) : undefined)
}

/** struct nlmsgerr: the negated errno and the request's header, and behind it what the kernel says in words. */
function refusal({ payload, flags }: NetlinkMessage, operation: Label): NetlinkResult {
  const result = fixedHeader(payload, 20).getInt32(0, true)
  if (result >= 0) return undefined
  return kernelError(result, operation, flags & NLM_F_ACK_TLVS ? said(payload, 20) : undefined)
}

function noAnswer(operation: Label): KernelError {
  return new KernelError('EIO', labelText(operation), 'the kernel did not answer')
}

/** The kernel did what it was asked to, or refused it: which of the two got lost. */
function lostAnswer(operation: Label): KernelError {
  const reason = "the kernel's answer did not fit into the socket's buffer; list to see what is there"
  return new KernelError('ENOBUFS', labelText(operation), reason)
}

function refusedAll(requests: readonly NetlinkRequest[], result: number): readonly NetlinkResult[] {
  return requests.map(({ operation }) => kernelError(result, operation))
}

function joined(messages: readonly Uint8Array[], length: number): Uint8Array {
  const octets = new Uint8Array(length)
  let at = 0
  for (const message of messages) {
    octets.set(message, at)
    at += aligned(message.length)
  }
  return octets
}

function said(payload: Uint8Array, from: number): string | undefined {
  const words = new Attributes(payload, from).text(NLMSGERR_ATTR_MSG)
  return words === undefined ? undefined : words.charAt(0).toLowerCase() + words.slice(1)
}
