import { type Clock, type Errno, KernelError } from '@podfabric/kernel'
import { tcpFlags } from '@podfabric/wire'
import { addressSum, type TcpFlow } from './tcp-flow.ts'
import { RECEIVE_SHIFT, TcpReceiver } from './tcp-receiver.ts'
import { TcpRoundTrip } from './tcp-round-trip.ts'
import { sealTcpSegment, tcpSegment } from './tcp-segment.ts'
import { type TcpPiece, TcpSender } from './tcp-sender.ts'
import { sequenceAdd } from './tcp-sequence.ts'
import { TcpTimer } from './tcp-timer.ts'

export type TcpState =
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'closing'
  | 'time-wait'
  | 'close-wait'
  | 'last-ack'
  | 'closed'

/** What a connection needs of the stack that it is in. */
export interface TcpHost {
  readonly clock: Clock
  readonly random: () => number
  mtuTo(flow: TcpFlow): number
  /** Sends what the connection has to send, when the work at hand is done. */
  schedule(block: TcpControlBlock): void
  /** Sends a segment on the connection's flow after that. */
  emit(flow: TcpFlow, segment: Uint8Array): void
  /** Forgets the connection. */
  remove(block: TcpControlBlock): void
}

/** The ports of a connection, and the hash that it is filed under. */
export interface TcpPorts {
  readonly local: number
  readonly remote: number
  readonly hash: number
}

/** Who is told what happens on a connection. */
export interface TcpObserver {
  established(): void
  /** Octets, or the end of them, can be read. */
  readable(): void
  /** There is space for octets to be written. */
  writable(): void
  /** It is over, for this reason. */
  failed(error: KernelError): void
}

/**
 * Retransmissions before a connection is given up, as Linux has them: tcp_retries2, tcp_syn_retries and
 * tcp_syn_linear_timeouts, tcp_synack_retries.
 */
const RETRIES = 15
const SYN_RETRIES = 10
const SYN_ACK_RETRIES = 5
/** The first timeouts of a SYN do not double (tcp_syn_linear_timeouts). */
const SYN_LINEAR = 4
/** Window probes that keep a virtual clock going; later ones wait for time to pass by itself. */
const FOREGROUND_PROBES = 8
/** Milliseconds in TIME-WAIT, and in FIN-WAIT-2 when nobody reads any more. */
const LINGER = 60_000
/** Milliseconds between answers to segments that are out of the window and hold nothing. */
const CHALLENGE_INTERVAL = 500

const piece: TcpPiece = { sequence: 0, length: 0, fin: false, last: false }

/** One connection's state, its timers, and the making of its segments. What arrives is `segmentArrives`' matter. */
export class TcpControlBlock {
  state: TcpState
  readonly flow: TcpFlow
  readonly localPort: number
  readonly remotePort: number
  readonly sender: TcpSender
  readonly receiver = new TcpReceiver()
  readonly roundTrip = new TcpRoundTrip()
  observer: TcpObserver
  /** The next of the stack's table with the same hash. */
  chain: TcpControlBlock | undefined
  readonly hash: number
  /** Whether it waits in the stack's list of those that have to send. */
  scheduled = false
  /** Nobody reads or writes any more. */
  orphaned = false
  /** Acknowledgments owed. */
  acknowledgments = 0
  /** The other side's, which the own are limited by. */
  maximumSize: number
  scaling = true
  /** The shift of the other side's windows. */
  windowShift = 0
  timestamps = true
  /** The other side's timestamp to echo. */
  recentTimestamp = 0
  /** `receiver.next` when an acknowledgment was sent last. */
  lastAcknowledged = 0
  /** What ICMP said meanwhile: the error if it is given up. */
  softError: Errno | undefined
  /** Why it is over, where something went wrong. */
  failure: KernelError | undefined
  readonly #host: TcpHost
  readonly #addressSum: number
  readonly #timestampOffset: number
  /** What ICMP said of the path, in octets; kept for the connection's life. */
  #pathMtu = Infinity
  readonly #retransmission: TcpTimer
  readonly #lingering: TcpTimer
  #probing = false
  #probes = 0
  #retries = 0
  #challenged = -Infinity

  constructor(
    host: TcpHost,
    state: 'syn-sent' | 'syn-received',
    flow: TcpFlow,
    ports: TcpPorts,
    observer: TcpObserver,
  ) {
    this.#host = host
    this.state = state
    this.flow = flow
    this.localPort = ports.local
    this.remotePort = ports.remote
    this.hash = ports.hash
    this.observer = observer
    this.#addressSum = addressSum(flow.octets, 0, flow.family)
    this.#timestampOffset = Math.floor(host.random() * 0x1_0000_0000)
    this.maximumSize = flow.family === 4 ? 536 : 1220
    this.sender = new TcpSender(Math.floor(host.random() * 0x1_0000_0000), this.#segmentSize())
    this.#retransmission = new TcpTimer(host.clock, () => this.#timedOut())
    this.#lingering = new TcpTimer(host.clock, () => this.close())
  }

  /** The own maximum segment size, from the MTU: what the other side is told. */
  get ownMaximumSize(): number {
    return Math.max(this.#host.mtuTo(this.flow) - this.#headers(), 1)
  }

  #headers(): number {
    return this.flow.family === 4 ? 40 : 60
  }

  #segmentSize(): number {
    const size = Math.min(this.maximumSize, this.ownMaximumSize, this.#pathMtu - this.#headers())
    return Math.max(size - (this.timestamps ? 12 : 0), 1)
  }

  /** The options of the other side's SYN are known, or the MTU may have changed. */
  measure(): void {
    const size = this.#segmentSize()
    if (size !== this.sender.segment) this.sender.segment = size
  }

  /** Has the stack send what there is to send. */
  schedule(): void {
    this.#host.schedule(this)
  }

  acknowledge(): void {
    if (this.acknowledgments === 0) this.acknowledgments = 1
    this.schedule()
  }

  /** Every duplicate counts for the other side's fast retransmission. */
  acknowledgeAgain(): void {
    this.acknowledgments++
    this.schedule()
  }

  /** Answers something that proves nothing; not for every such segment, lest two ends answer each other for ever. */
  challenge(): void {
    const now = this.#host.clock.now()
    if (now - this.#challenged < CHALLENGE_INTERVAL) return
    this.#challenged = now
    this.acknowledgeAgain()
  }

  /** Sends everything that may be sent now. `output` may bring new segments in before it returns. */
  transmit(output: (flow: TcpFlow, segment: Uint8Array) => void): void {
    for (let segment = this.#nextSegment(); segment !== undefined; segment = this.#nextSegment()) {
      output(this.flow, segment)
    }
    this.#armTimer()
  }

  #nextSegment(): Uint8Array | undefined {
    const { sender, state } = this
    if (state === 'closed') return undefined
    if (!sender.synchronized && sender.next === sender.initial) return this.#syn()
    if (sender.choose(piece)) return this.#pieceSegment()
    if (this.acknowledgments === 0 || state === 'syn-sent') return undefined
    this.acknowledgments--
    // After a timeout `next` is behind what the other side may have: a segment from there would be out of its window.
    return this.#bare(sender.highest, tcpFlags.ack)
  }

  #syn(): Uint8Array {
    const { sender, state } = this
    sender.next = sequenceAdd(sender.initial, 1)
    sender.highest = sender.next
    this.acknowledgments = 0
    const flags = state === 'syn-sent' ? tcpFlags.syn : tcpFlags.syn | tcpFlags.ack
    return this.#seal(this.#header(sender.initial, flags, 0, true))
  }

  #pieceSegment(): Uint8Array {
    let flags: number = tcpFlags.ack
    if (piece.last) flags |= tcpFlags.psh
    if (piece.fin) flags |= tcpFlags.fin
    const segment = this.#header(piece.sequence, flags, piece.length, false)
    this.sender.copy(piece, segment, segment.length - piece.length)
    this.acknowledgments = 0
    return this.#seal(segment)
  }

  #bare(sequence: number, flags: number): Uint8Array {
    return this.#seal(this.#header(sequence, flags, 0, false))
  }

  #header(sequence: number, flags: number, dataLength: number, syn: boolean): Uint8Array {
    const acknowledges = (flags & tcpFlags.ack) !== 0
    this.lastAcknowledged = this.receiver.next
    return tcpSegment(
      {
        sourcePort: this.localPort,
        destinationPort: this.remotePort,
        sequence,
        acknowledgment: acknowledges ? this.receiver.next : 0,
        flags,
        window: this.receiver.tellWindow(!syn),
        maximumSize: syn ? Math.min(this.ownMaximumSize, 0xffff) : -1,
        windowShift: syn && this.scaling ? RECEIVE_SHIFT : -1,
        timestamp: this.timestamps ? this.#timestamp() : -1,
        echoedTimestamp: acknowledges ? this.recentTimestamp : 0,
      },
      dataLength,
    )
  }

  #seal(segment: Uint8Array): Uint8Array {
    sealTcpSegment(segment, this.#addressSum)
    return segment
  }

  #timestamp(): number {
    return (Math.floor(this.#host.clock.now()) + this.#timestampOffset) >>> 0
  }

  /** Something new was acknowledged, by a segment that echoes this timestamp. */
  progressed(echoedTimestamp: number): void {
    if (this.timestamps) {
      const elapsed = (this.#timestamp() - echoedTimestamp) | 0
      if (elapsed >= 0) this.roundTrip.sample(elapsed)
    } else {
      this.roundTrip.restart()
    }
    this.#retries = 0
    this.#probes = 0
    this.softError = undefined
    if (this.sender.outstanding) this.#retransmission.set(this.roundTrip.timeout)
    else this.#retransmission.cancel()
  }

  /** The other side lives, though its window is shut. */
  heard(): void {
    if (this.#probing || this.sender.window === 0) this.#retries = 0
  }

  /** The window opened: no more need to ask. */
  windowOpened(): void {
    if (!this.#probing) return
    this.#probing = false
    this.#probes = 0
    this.#retransmission.cancel()
  }

  #armTimer(): void {
    const { sender, state } = this
    if (state === 'closed') return
    const { armed } = this.#retransmission
    if (sender.outstanding) {
      if (armed && !this.#probing) return
      this.#probing = false
      this.#retransmission.set(this.roundTrip.timeout)
    } else if (sender.waiting && !armed) {
      this.#probing = true
      const delay = Math.min(this.roundTrip.timeout * 2 ** Math.min(this.#probes, 16), 120_000)
      this.#retransmission.set(delay, this.#probes >= FOREGROUND_PROBES)
    }
  }

  #timedOut(): void {
    if (this.#probing) return this.#probe()
    const { sender, state } = this
    const limit = state === 'syn-sent' ? SYN_RETRIES : state === 'syn-received' ? SYN_ACK_RETRIES : RETRIES
    if (this.#retries >= limit) {
      this.fail(this.softError ?? 'ETIMEDOUT', `no answer after ${this.#retries} retransmissions`)
      return
    }
    this.#retries++
    if (state !== 'syn-sent' || this.#retries > SYN_LINEAR) this.roundTrip.backOff()
    this.measure()
    sender.timedOut()
    this.schedule()
  }

  /** Asks for the window (RFC 9293 section 3.8.6.1): with what fits, or with a sequence number that was acknowledged. */
  #probe(): void {
    const { sender } = this
    if (this.#retries >= RETRIES)
      return this.fail(this.softError ?? 'ETIMEDOUT', 'no answer to window probes')
    this.#retries++
    this.#probes++
    if (sender.window > 0) sender.pushed = true
    else this.#host.emit(this.flow, this.#bare(sequenceAdd(sender.unacknowledged, -1), tcpFlags.ack))
    this.schedule()
  }

  /** Sends FIN after what is written; the state follows. */
  finish(): void {
    if (this.sender.finished) return
    this.sender.finished = true
    if (this.state === 'close-wait') this.state = 'last-ack'
    else if (this.state !== 'syn-sent') this.state = 'fin-wait-1'
    this.schedule()
  }

  /** Nobody reads or writes any more: what is sent is still seen through. */
  orphan(): void {
    this.orphaned = true
    if (this.state === 'fin-wait-2') this.#lingering.set(LINGER, true)
  }

  enterFinWait2(): void {
    this.state = 'fin-wait-2'
    if (this.orphaned) this.#lingering.set(LINGER, true)
  }

  enterTimeWait(): void {
    this.state = 'time-wait'
    this.sender.ring.clear()
    this.#retransmission.cancel()
    this.#lingering.set(LINGER, true)
  }

  /** Sends RST and is gone. */
  abort(): void {
    if (this.state !== 'syn-sent' && this.state !== 'time-wait' && this.state !== 'closed') {
      this.#host.emit(this.flow, this.#bare(this.sender.highest, tcpFlags.rst | tcpFlags.ack))
    }
    this.close()
  }

  fail(code: Errno, reason: string): void {
    if (this.state === 'closed') return
    this.failure = this.error(code, reason)
    this.close()
    this.observer.failed(this.failure)
  }

  /** Is gone, without a word. */
  close(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#retransmission.cancel()
    this.#lingering.cancel()
    this.sender.ring.clear()
    if (this.orphaned) this.receiver.clear()
    this.#host.remove(this)
  }

  /** The path takes packets of `mtu` octets at most. */
  pathShrank(mtu: number): void {
    this.#pathMtu = Math.min(this.#pathMtu, mtu)
    const size = this.#segmentSize()
    if (size >= this.sender.segment) return
    this.sender.resegment(size)
    this.schedule()
  }

  error(code: Errno, reason: string): KernelError {
    const remote = this.flow.family === 6 ? `[${this.flow.destination}]` : this.flow.destination
    return new KernelError(code, `tcp ${remote}:${this.remotePort}`, reason)
  }
}
