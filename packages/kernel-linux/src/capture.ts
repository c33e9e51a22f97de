import { type Capture, type CapturedFrame, KernelError } from '@podfabric/kernel'
import { controlData } from './control-message.ts'
import { onesComplementSum } from './echo.ts'
import { checked, kernelError } from './errno.ts'
import { inNamespace } from './namespace-window.ts'
import { MSG_DONTWAIT, type Received, type Syscalls } from './syscall.ts'
import { WatchedSocket } from './watched-socket.ts'

const AF_PACKET = 17
const SOCK_RAW = 3
const ETH_P_ALL = 3
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_TIMESTAMPNS = 35
const SOL_PACKET = 263
const PACKET_VNET_HDR = 15
const PACKET_OUTGOING = 4
const VNET_HEADER_LENGTH = 10
const VNET_NEEDS_CHECKSUM = 1
const RECEIVE_BUFFER = 4 * 1024 * 1024
const ENETDOWN = 'ENETDOWN'

/**
 * Frames on one link through a packet socket. Checksums that a sender left to a network card that is not there
 * are filled in, so that a frame reads as it would on a wire; segments that the kernel keeps together longer
 * than the MTU are shown as it keeps them.
 */
export function captureOn(sys: Syscalls, namespaceFd: number, link: string, index: number): Capture {
  const label = `capture on ${link}`
  const socket = openOn(sys, namespaceFd, index, label)
  let ended = false
  const close = async () => {
    ended = true
    // The kernel lets go of a packet socket when no processor is handing it a frame any more: some milliseconds.
    await socket.closeAside()
  }
  /** A link that only went down comes back; one that was deleted has no index any more. */
  const isGone = () => {
    const address = sys.localAddress(socket.fd(label))
    if (typeof address === 'number') throw kernelError(address, label)
    const view = new DataView(address.buffer, address.byteOffset, address.byteLength)
    return view.getInt32(4, true) !== index
  }
  const next = async (): Promise<CapturedFrame | undefined> => {
    while (!ended) {
      try {
        const received = await socket.attempt<Received>('readable', label, (fd) =>
          sys.receive(fd, MSG_DONTWAIT),
        )
        const frame = readFrame(received)
        if (frame !== undefined) return frame
      } catch (error) {
        if (ended) return undefined
        if (!(error instanceof KernelError) || error.code !== ENETDOWN) throw error
        if (isGone()) await close()
      }
    }
    return undefined
  }
  return {
    close,
    [Symbol.asyncDispose]: close,
    async *[Symbol.asyncIterator]() {
      for (let frame = await next(); frame !== undefined; frame = await next()) yield frame
    },
  }
}

function openOn(sys: Syscalls, namespaceFd: number, index: number, label: string): WatchedSocket {
  // Protocol 0: nothing arrives before the socket is bound to its link.
  const kind = { domain: AF_PACKET, type: SOCK_RAW, protocol: 0 }
  const socket = WatchedSocket.open(sys, namespaceFd, kind, label)
  try {
    const fd = socket.fd(label)
    checked(sys.setOption(fd, SOL_PACKET, PACKET_VNET_HDR, 1), label)
    checked(sys.setOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1), label)
    checked(sys.setOption(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER), label)
    checked(
      inNamespace(sys, namespaceFd, () => sys.bind(fd, linkAddress(index))),
      label,
    )
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

/** struct sockaddr_ll: family, protocol in network order, index; the rest is not for binding. */
function linkAddress(index: number): Uint8Array {
  const bytes = new Uint8Array(20)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF_PACKET, true)
  view.setUint16(2, ETH_P_ALL)
  view.setInt32(4, index, true)
  return bytes
}

function readFrame({ data, from, control }: Received): CapturedFrame | undefined {
  if (data.length < VNET_HEADER_LENGTH + 14) return undefined
  const bytes = data.slice(VNET_HEADER_LENGTH)
  // struct virtio_net_hdr: flags, segmentation, header length, segment size, checksum start and offset.
  const header = new DataView(data.buffer, data.byteOffset, VNET_HEADER_LENGTH)
  if (header.getUint8(0) & VNET_NEEDS_CHECKSUM) {
    fillChecksum(bytes, header.getUint16(6, true), header.getUint16(8, true))
  }
  return { bytes, at: readTime(control), direction: from[10] === PACKET_OUTGOING ? 'out' : 'in' }
}

/** The field holds the sum over the pseudo-header already; UDP writes a zero sum as ones (RFC 768). */
export function fillChecksum(frame: Uint8Array, start: number, offset: number): void {
  if (start + offset + 2 > frame.length) return
  const sum = onesComplementSum(frame, start) ^ 0xffff
  new DataView(frame.buffer, frame.byteOffset).setUint16(start + offset, sum === 0 ? 0xffff : sum)
}

/** struct timespec of the real-time clock: seconds and nanoseconds, 8 octets each. */
function readTime(control: Uint8Array): number {
  const stamp = controlData(control, SOL_SOCKET, SO_TIMESTAMPNS)
  if (stamp === undefined || stamp.length < 16) {
    throw new KernelError('EPROTO', 'capture', 'the kernel gave no time for a frame')
  }
  const view = new DataView(stamp.buffer, stamp.byteOffset, stamp.byteLength)
  return Number(view.getBigInt64(0, true)) * 1000 + Number(view.getBigInt64(8, true)) / 1e6
}
