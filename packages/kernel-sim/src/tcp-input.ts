import { tcpFlags } from '@podfabric/wire'
import type { TcpControlBlock } from './tcp-control-block.ts'
import { RECEIVE_SHIFT } from './tcp-receiver.ts'
import type { TcpSegment } from './tcp-segment.ts'
import { sequenceAdd, sequenceBefore } from './tcp-sequence.ts'

/** What the stack does about a segment that a connection cannot answer itself. */
export type TcpReaction =
  | 'done'
  /** Answer with RST, as if there were no connection. */
  | 'refuse'
  /** The connection is over and this segment opens a new one: hand it to the listener. */
  | 'reopen'

/** A segment for an existing connection: RFC 9293 section 3.10.7, with the checks of RFC 5961 and RFC 7323. */
export function segmentArrives(block: TcpControlBlock, segment: TcpSegment): TcpReaction {
  switch (block.state) {
    case 'closed':
      return 'refuse'
    case 'syn-sent':
      return synSent(block, segment)
    case 'time-wait':
      return timeWait(block, segment)
    default:
      return synchronized(block, segment)
  }
}

function synSent(block: TcpControlBlock, segment: TcpSegment): TcpReaction {
  const { sender } = block
  const acknowledges = segment.has(tcpFlags.ack)
  if (acknowledges && segment.acknowledgment !== sequenceAdd(sender.initial, 1)) return 'refuse'
  if (segment.has(tcpFlags.rst)) {
    if (acknowledges) block.fail('ECONNREFUSED', 'nobody listens there')
    return 'done'
  }
  if (!segment.has(tcpFlags.syn)) return 'done'
  synchronize(block, segment)
  if (!acknowledges) {
    block.state = 'syn-received'
    sender.next = sender.initial
    block.schedule()
    return 'done'
  }
  sender.acknowledge(segment.acknowledgment)
  sender.setWindow(segment.sequence, segment.acknowledgment, segment.window)
  block.progressed(segment.echoedTimestamp)
  block.state = 'established'
  block.acknowledge()
  block.observer.established()
  return 'done'
}

/** Takes what the other side's SYN says: where its stream begins, and its options. */
export function synchronize(block: TcpControlBlock, segment: TcpSegment): void {
  block.receiver.begin(segment.sequence)
  if (segment.maximumSize >= 0) block.maximumSize = Math.max(segment.maximumSize, 48)
  block.scaling = segment.windowShift >= 0
  block.windowShift = Math.max(segment.windowShift, 0)
  block.receiver.shift = block.scaling ? RECEIVE_SHIFT : 0
  block.timestamps = segment.timestamp >= 0
  block.recentTimestamp = Math.max(segment.timestamp, 0)
  block.measure()
}

function timeWait(block: TcpControlBlock, segment: TcpSegment): TcpReaction {
  const { receiver } = block
  if (segment.has(tcpFlags.rst)) {
    if (segment.sequence === receiver.next) block.close()
    return 'done'
  }
  if (segment.has(tcpFlags.syn) && !segment.has(tcpFlags.ack)) {
    const newer = block.timestamps
      ? segment.timestamp >= 0 && sequenceBefore(block.recentTimestamp, segment.timestamp)
      : sequenceBefore(receiver.next, segment.sequence)
    if (newer || sequenceBefore(receiver.next, segment.sequence)) {
      block.close()
      return 'reopen'
    }
  }
  if (segment.sequenceLength > 0) {
    block.acknowledge()
    if (segment.has(tcpFlags.fin)) block.enterTimeWait()
  }
  return 'done'
}

function synchronized(block: TcpControlBlock, segment: TcpSegment): TcpReaction {
  if (!isAcceptable(block, segment)) {
    refuseQuietly(block, segment)
    return 'done'
  }
  if (segment.has(tcpFlags.rst)) {
    if (segment.sequence === block.receiver.next) resetArrived(block)
    else block.challenge()
    return 'done'
  }
  if (segment.has(tcpFlags.syn)) {
    synArrived(block, segment)
    return 'done'
  }
  if (!segment.has(tcpFlags.ack)) return 'done'
  if (block.state === 'syn-received' && !handshakeEnds(block, segment)) return 'refuse'
  rememberTimestamp(block, segment)
  if (!acknowledgmentArrived(block, segment)) return 'done'
  return dataArrived(block, segment)
}

/** In the window, and not older than what came before (RFC 7323 section 5). */
function isAcceptable(block: TcpControlBlock, segment: TcpSegment): boolean {
  const { receiver } = block
  const old =
    block.timestamps &&
    segment.timestamp >= 0 &&
    !segment.has(tcpFlags.rst) &&
    sequenceBefore(segment.timestamp, block.recentTimestamp)
  if (old) return false
  const end = sequenceAdd(segment.sequence, segment.sequenceLength)
  const edge = sequenceAdd(receiver.next, receiver.window)
  return !sequenceBefore(end, receiver.next) && !sequenceBefore(edge, segment.sequence)
}

function refuseQuietly(block: TcpControlBlock, segment: TcpSegment): void {
  if (segment.has(tcpFlags.rst)) return
  if (block.state === 'syn-received') {
    if (segment.has(tcpFlags.syn)) sendSynAgain(block)
    return
  }
  if (segment.dataLength > 0 || segment.has(tcpFlags.fin)) block.acknowledgeAgain()
  else block.challenge()
}

function resetArrived(block: TcpControlBlock): void {
  switch (block.state) {
    case 'syn-received':
      return block.fail('ECONNREFUSED', 'the other side refused')
    case 'closing':
    case 'last-ack':
      return block.fail('ECONNRESET', 'the other side reset the connection while it closed')
    default:
      return block.fail('ECONNRESET', 'the other side reset the connection')
  }
}

function synArrived(block: TcpControlBlock, segment: TcpSegment): void {
  const again = sequenceAdd(segment.sequence, 1) === block.receiver.next
  if (block.state === 'syn-received' && again) {
    if (segment.has(tcpFlags.ack)) simultaneousOpenEnds(block, segment)
    else sendSynAgain(block)
    return
  }
  block.challenge()
}

/** Both sides connected to each other: the other's SYN comes once more, now with the acknowledgment of ours. */
function simultaneousOpenEnds(block: TcpControlBlock, segment: TcpSegment): void {
  rememberTimestamp(block, segment)
  if (!handshakeEnds(block, segment)) return
  block.acknowledge()
}

function sendSynAgain(block: TcpControlBlock): void {
  block.sender.next = block.sender.initial
  block.schedule()
}

/** False where it acknowledges something else than the own SYN. */
function handshakeEnds(block: TcpControlBlock, segment: TcpSegment): boolean {
  const { sender } = block
  const acceptable =
    sequenceBefore(sender.initial, segment.acknowledgment) &&
    !sequenceBefore(sender.highest, segment.acknowledgment)
  if (!acceptable) return false
  const shift = segment.has(tcpFlags.syn) ? 0 : block.windowShift
  sender.acknowledge(segment.acknowledgment)
  sender.setWindow(segment.sequence, segment.acknowledgment, segment.window << shift)
  block.progressed(segment.echoedTimestamp)
  block.state = sender.finished ? 'fin-wait-1' : 'established'
  block.observer.established()
  block.schedule()
  return true
}

function rememberTimestamp(block: TcpControlBlock, segment: TcpSegment): void {
  if (!block.timestamps || segment.timestamp < 0) return
  if (sequenceBefore(block.lastAcknowledged, segment.sequence)) return
  if (!sequenceBefore(segment.timestamp, block.recentTimestamp)) block.recentTimestamp = segment.timestamp
}

/** False where the rest of the segment is not to be looked at. */
function acknowledgmentArrived(block: TcpControlBlock, segment: TcpSegment): boolean {
  const { sender } = block
  const { acknowledgment } = segment
  const tooOld = sequenceAdd(sender.unacknowledged, -Math.max(sender.largestWindow, 1))
  if (sequenceBefore(sender.highest, acknowledgment) || sequenceBefore(acknowledgment, tooOld)) {
    block.challenge()
    return false
  }
  const window = segment.window << block.windowShift
  const before = sender.window
  block.heard()
  if (sequenceBefore(sender.unacknowledged, acknowledgment)) {
    sender.acknowledge(acknowledgment)
    block.progressed(segment.echoedTimestamp)
    block.observer.writable()
    block.schedule()
    finAcknowledged(block)
  } else if (acknowledgment === sender.unacknowledged) {
    const duplicate = sender.outstanding && segment.sequenceLength === 0 && window === before
    if (duplicate) sender.duplicate()
  }
  if (!sequenceBefore(acknowledgment, sender.unacknowledged)) {
    sender.updateWindow(segment.sequence, acknowledgment, window)
    if (sender.window > before) block.windowOpened()
  }
  block.schedule()
  return true
}

function finAcknowledged(block: TcpControlBlock): void {
  if (!block.sender.done) return
  if (block.state === 'fin-wait-1') block.enterFinWait2()
  else if (block.state === 'closing') block.enterTimeWait()
  else if (block.state === 'last-ack') block.close()
}

function dataArrived(block: TcpControlBlock, segment: TcpSegment): TcpReaction {
  const { receiver, state } = block
  const listens = state === 'established' || state === 'fin-wait-1' || state === 'fin-wait-2'
  const fin = segment.has(tcpFlags.fin)
  if (segment.dataLength === 0 && !fin) return 'done'
  if (!listens) {
    block.acknowledgeAgain()
    return 'done'
  }
  const end = sequenceAdd(segment.sequence, segment.dataLength)
  if (block.orphaned && segment.dataLength > 0 && sequenceBefore(receiver.next, end)) {
    block.close()
    return 'refuse'
  }
  const moved = receiver.accept(segment.sequence, segment.bytes, segment.dataStart, segment.dataEnd, fin)
  if (!moved || receiver.hasGaps) block.acknowledgeAgain()
  else block.acknowledge()
  if (!moved) return 'done'
  if (receiver.ended) finArrived(block)
  block.observer.readable()
  return 'done'
}

function finArrived(block: TcpControlBlock): void {
  if (block.state === 'established') block.state = 'close-wait'
  else if (block.state === 'fin-wait-1') block.state = 'closing'
  else if (block.state === 'fin-wait-2') block.enterTimeWait()
}
