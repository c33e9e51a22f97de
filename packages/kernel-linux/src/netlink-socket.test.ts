import { describe, expect, it } from 'vitest'
import { negated } from './errno.ts'
import { koffiSyscalls } from './koffi-syscalls.ts'
import { NetlinkWriter, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from './netlink-message.ts'
import { NetlinkSocket } from './netlink-socket.ts'
import type { Syscalls } from './syscall.ts'

const ROW = 16

/** Calls of a kernel that answers each request with the next of `answers`, each a list of received octets. */
function scripted(answers: readonly (readonly (Uint8Array | number)[])[]) {
  const requests: Uint8Array[] = []
  let queue: (Uint8Array | number)[] = []
  const sys: Partial<Syscalls> = {
    setns: () => 0,
    socket: () => 99,
    setOption: () => 0,
    send: (_fd, data) => {
      queue = [...(answers[requests.length] ?? [])]
      requests.push(data)
      return data.length
    },
    receiveData: () => queue.shift() ?? negated('EAGAIN'),
  }
  // Only what a netlink socket calls is there; anything else would be a TypeError, and the test fail.
  return { socket: new NetlinkSocket(sys as Syscalls, 3), requests }
}

/** One message; `flags` beside its type. */
function message(type: number, sequence: number, flags: number, payload: Uint8Array): Uint8Array {
  const writer = new NetlinkWriter(type)
  for (const octet of payload) writer.u8(octet)
  return writer.finish(sequence, flags)
}

const row = (sequence: number, flags = 0) => message(ROW, sequence, flags, Uint8Array.of(1, 2, 3, 4))
const done = (sequence: number, flags = 0) => message(NLMSG_DONE, sequence, flags, new Uint8Array(4))

function refusal(sequence: number, errno: number, words?: string): Uint8Array {
  const payload = new Uint8Array(20)
  new DataView(payload.buffer).setInt32(0, errno, true)
  if (words === undefined) return message(NLMSG_ERROR, sequence, 0, payload)
  const text = new TextEncoder().encode(`${words}\0`)
  const attribute = Uint8Array.of(4 + text.length, 0, 1, 0, ...text, ...new Uint8Array(-text.length & 3))
  return message(NLMSG_ERROR, sequence, 0x200, Uint8Array.from([...payload, ...attribute]))
}

// Entering a namespace opens a file below /proc.
describe.skipIf(process.platform !== 'linux')('a netlink socket', () => {
  it('takes a dump again that the table changed under', () => {
    const { socket, requests } = scripted([
      [row(1), row(1, NLM_F_DUMP_INTR), done(1)],
      [row(2), done(2, NLM_F_DUMP_INTR)],
      [row(3), row(3), row(3), done(3)],
    ])
    expect(socket.dump(() => new NetlinkWriter(ROW), 'list')).toHaveLength(3)
    expect(requests).toHaveLength(3)
  })

  it('gives up on a dump that never stands still', () => {
    const answers = Array.from({ length: 30 }, (_, i) => [done(i + 1, NLM_F_DUMP_INTR)])
    const { socket } = scripted(answers)
    expect(() => socket.dump(() => new NetlinkWriter(ROW), 'list')).toThrow(/EBUSY/)
  })

  it('takes a dump again whose rows did not fit into the buffer, and says so when that goes on', () => {
    const overrun = negated('ENOBUFS')
    const { socket, requests } = scripted([
      [row(1), overrun, row(1)],
      [row(2), done(2)],
    ])
    expect(socket.dump(() => new NetlinkWriter(ROW), 'list')).toHaveLength(1)
    expect(requests).toHaveLength(2)
    const never = scripted(Array.from({ length: 30 }, () => [overrun]))
    expect(() => never.socket.dump(() => new NetlinkWriter(ROW), 'list')).toThrow(/ENOBUFS/)
    expect(never.requests).toHaveLength(20)
  })

  const several = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ writer: new NetlinkWriter(ROW), operation: `r${i + 1}` }))
  const messagesOf = (results: readonly (Error | undefined)[]) =>
    results.map((error) => error?.message ?? 'ok')

  it('sends several requests at once, and finds the result of each by its number', () => {
    const answer = Uint8Array.from([...refusal(3, -22, 'No'), ...row(1), ...refusal(1, 0)])
    const { socket, requests } = scripted([[refusal(77, -1), answer, refusal(2, -17)]])
    const results = socket.requests(several(3))
    expect(requests).toHaveLength(1)
    expect(requests[0]).toHaveLength(3 * 16)
    expect(messagesOf(results)).toEqual(['ok', 'r2: it exists already (EEXIST)', 'r3: no (EINVAL)'])
  })

  it('splits what is too much for one send', () => {
    const acks = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => refusal(from + i, from + i === 150 ? -17 : 0))
    const { socket, requests } = scripted([acks(1, 100), acks(101, 150)])
    const results = socket.requests(several(150))
    expect(requests.map(({ length }) => length / 16)).toEqual([100, 50])
    expect(messagesOf(results).filter((text) => text !== 'ok')).toEqual(['r150: it exists already (EEXIST)'])
    expect(socket.requests([])).toEqual([])
  })

  it('says of which requests the answer was lost, and of which there was none', () => {
    const { socket } = scripted([[refusal(1, 0), negated('ENOBUFS'), refusal(3, -17)], [refusal(4, 0)]])
    const codes = (results: readonly ({ code: string } | undefined)[]) =>
      results.map((error) => error?.code ?? 'ok')
    expect(codes(socket.requests(several(3)))).toEqual(['ok', 'ENOBUFS', 'EEXIST'])
    expect(codes(socket.requests(several(2)))).toEqual(['ok', 'EIO'])
  })

  it('asks a question without an acknowledgement, and takes the one message that answers it', () => {
    const { socket, requests } = scripted([[refusal(77, -1), row(1)], [refusal(2, -19)], []])
    const ask = () => socket.question(new NetlinkWriter(ROW), 'ip link show dev x')
    expect(ask()).toMatchObject({ type: ROW, sequence: 1 })
    expect(new DataView(requests[0]?.buffer ?? new ArrayBuffer(8)).getUint16(6, true)).toBe(1)
    expect(ask).toThrow(/ENODEV/)
    expect(ask).toThrow(/did not answer/)
  })

  it('passes over what answers an earlier request', () => {
    const { socket } = scripted([[row(77), row(1), refusal(77, -1), refusal(1, 0)]])
    expect(socket.request(new NetlinkWriter(ROW), 'get')).toHaveLength(1)
  })

  it('says the errno, and the words of the kernel where it has some', () => {
    const { socket } = scripted([[refusal(1, -17)], [refusal(2, -22, 'Invalid prefix')], [refusal(3, -524)]])
    const request = () => socket.request(new NetlinkWriter(ROW), () => 'ip x')
    expect(request).toThrow('ip x: it exists already (EEXIST)')
    expect(request).toThrow('ip x: invalid prefix (EINVAL)')
    expect(request).toThrow('ip x: errno 524 (EIO)')
  })

  it('does not wait for an answer that does not come', () => {
    const { socket } = scripted([[row(1)]])
    expect(() => socket.request(new NetlinkWriter(ROW), 'get')).toThrow(/did not answer/)
  })
})

describe.skipIf(process.platform !== 'linux')('system calls', () => {
  it('return the negated errno', () => {
    const sys = koffiSyscalls()
    expect(sys.close(-1)).toBe(negated('EBADF'))
    expect(sys.receive(-1, 0)).toBe(negated('EBADF'))
    expect(sys.localAddress(-1)).toBe(negated('EBADF'))
  })
})
