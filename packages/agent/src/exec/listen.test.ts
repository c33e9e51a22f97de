import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, link, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { createConnection, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { ExecOutcome } from '@podfabric/cni'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testFolder } from '../fixtures/folder.ts'
import { type AgentCall, formatAgentCall, maxCallLength, parseAgentAnswer } from '../protocol.ts'
import { callAgent } from './call-agent.ts'
import { type ListenOptions, listen, type Serve } from './listen.ts'

const call: AgentCall = { type: 'dummy', env: { CNI_COMMAND: 'ADD' }, stdin: '{}' }
const echo = async ({ type, stdin }: AgentCall): Promise<ExecOutcome> => ({
  stdout: stdin,
  stderr: type,
  exitCode: 3,
})

/** A call whose stdin is one octet that is no text. */
function notUtf8(): Uint8Array {
  const octets = formatAgentCall({ ...call, stdin: 'x' })
  octets[octets.length - 1] = 0xff
  return octets
}

async function listening(serve: Serve = echo, options: ListenOptions = {}) {
  const path = join(await testFolder(), 'run', 'agent.sock')
  const socket = await listen(path, serve, options)
  onTestFinished(() => socket.close())
  return socket
}

/** Says something to a socket and, unless it is to stay open, finishes; what is answered. */
async function say(path: string, octets: Uint8Array | string, stay = false): Promise<Uint8Array> {
  const socket: Socket = createConnection({ path, allowHalfOpen: true })
  await once(socket, 'connect')
  const answer: Uint8Array[] = []
  socket.on('data', (piece: Uint8Array) => void answer.push(piece))
  socket.on('end', () => socket.end())
  if (stay) socket.write(octets)
  else socket.end(octets)
  await once(socket, 'close')
  return Buffer.concat(answer)
}

describe('a listening agent', () => {
  it('answers calls, many at a time', async () => {
    const { path } = await listening()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => callAgent(path, { ...call, stdin: `call ${i}` })),
    )
    expect(answers.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 20 }, (_, i) => `call ${i}`))
    expect(answers[0]).toMatchObject({ stderr: 'dummy', exitCode: 3 })
  })

  it('lets nobody but its owner in: the socket is 0600, its folder 0700', async () => {
    const { path } = await listening()
    const { mode } = await stat(path)
    expect(mode & 0o777).toBe(0o600)
    expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700)
  })

  it('leaves the process’ umask as it was', async () => {
    const before = process.umask()
    await listening()
    expect(process.umask()).toBe(before)
  })

  it('takes a call of megabytes', async () => {
    const { path } = await listening()
    const stdin = JSON.stringify({ padding: '"'.repeat(4 * 1024 * 1024) })
    const { stdout } = await callAgent(path, { ...call, stdin })
    // Not compared by the matcher, which would print both.
    expect(stdout === stdin).toBe(true)
  })

  it('answers a call that is too long with an error', async () => {
    const { path } = await listening()
    const answer = parseAgentAnswer(
      await say(path, Buffer.concat([Buffer.from('PFC1'), new Uint8Array(12).fill(32)])),
    )
    expect(JSON.parse(answer.stdout)).toMatchObject({
      code: 6,
      msg: `a call of more than ${maxCallLength} octets`,
    })
  })

  it.each([
    ['no call', 'hello', 'expected `PFC1` at its beginning'],
    ['half a call', formatAgentCall(call).subarray(0, 30), 'expected as many octets'],
    ['nothing', '', 'expected as many octets'],
    ['octets that are not UTF-8', notUtf8(), 'stdin is not UTF-8'],
  ])('answers %s with an error', async (_what, octets, reason) => {
    const { path } = await listening()
    const answer = parseAgentAnswer(await say(path, octets))
    expect(JSON.parse(answer.stdout)).toMatchObject({ code: 6, msg: expect.stringContaining(reason) })
    expect(answer.exitCode).toBe(1)
  })

  it('answers for what a call fails with', async () => {
    const { path } = await listening(() => Promise.reject(new Error('the kernel is on fire')))
    expect(JSON.parse((await callAgent(path, call)).stdout)).toMatchObject({
      code: 100,
      msg: 'the kernel is on fire',
    })
  })

  it('gives up a call that does not arrive', async () => {
    const { path } = await listening(echo, { patience: 20 })
    expect(await say(path, 'PFC1', true)).toHaveLength(0)
  })

  it('gives a call up when its executable is killed', async () => {
    const begun = Promise.withResolvers<void>()
    const given = Promise.withResolvers<void>()
    const { path } = await listening(async (one, { signal }) => {
      if (one.stdin !== 'to be killed') return echo(one)
      signal.addEventListener('abort', () => given.resolve())
      begun.resolve()
      await given.promise
      return echo(one)
    })
    const killed = createConnection({ path })
    killed.write(formatAgentCall({ ...call, stdin: 'to be killed' }))
    await begun.promise
    killed.destroy()
    await given.promise
    expect(await callAgent(path, call)).toMatchObject({ exitCode: 3 })
  })
})

describe('close', () => {
  it('sees calls under way through, and takes the socket away', async () => {
    const begun = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    const socket = await listening(async (one) => {
      begun.resolve()
      await ended.promise
      return echo(one)
    })
    const answer = callAgent(socket.path, call)
    await begun.promise
    const closed = socket.close()
    ended.resolve()
    expect(await answer).toMatchObject({ exitCode: 3 })
    await closed
    expect(existsSync(socket.path)).toBe(false)
    await socket.close()
  })

  it('does not wait for a call that has not arrived', async () => {
    const socket = await listening()
    const idle = say(socket.path, 'P', true)
    await callAgent(socket.path, call)
    await socket.close()
    expect(await idle).toHaveLength(0)
  })
})

describe('a path that is taken', () => {
  it('by an agent is EADDRINUSE, and that one goes on', async () => {
    const { path } = await listening()
    await expect(listen(path, echo)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await callAgent(path, call)).toMatchObject({ exitCode: 3 })
  })

  it('by the socket of an agent that was killed is taken over', async () => {
    const path = join(await testFolder(), 'agent.sock')
    const dead = createServer()
    dead.listen(path)
    await once(dead, 'listening')
    // A server that is closed takes its file away; a killed one leaves it, as this hard link does.
    await leaveBehind(path, () => new Promise((resolve) => dead.close(() => resolve())))
    const socket = await listen(path, echo)
    onTestFinished(() => socket.close())
    expect(await callAgent(path, call)).toMatchObject({ exitCode: 3 })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('by a file of somebody’s is EADDRINUSE, and the file stays', async () => {
    const path = join(await testFolder(), 'notes.txt')
    await writeFile(path, 'dear diary')
    await chmod(path, 0o644)
    await expect(listen(path, echo)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await readFile(path, 'utf8')).toBe('dear diary')
  })
})

async function leaveBehind(path: string, close: () => Promise<void>): Promise<void> {
  await link(path, `${path}.kept`)
  await close()
  await rename(`${path}.kept`, path)
}

describe('calling', () => {
  it('where nobody listens is CNI_NOT_AVAILABLE, with the way out', async () => {
    const path = join(await testFolder(), 'nobody.sock')
    await expect(callAgent(path, call)).rejects.toMatchObject({
      code: 'CNI_NOT_AVAILABLE',
      number: 50,
      message: `no agent answers at ${path}`,
      details: expect.stringContaining('PODFABRIC_AGENT'),
    })
  })

  it('an agent that breaks off is CNI_IO_FAILURE', async () => {
    const path = join(await testFolder(), 'rude.sock')
    const rude = createServer((socket) => socket.destroy())
    rude.listen(path)
    await once(rude, 'listening')
    onTestFinished(() => void rude.close())
    await expect(callAgent(path, call)).rejects.toMatchObject({ code: 'CNI_IO_FAILURE' })
  })

  it('with more than an agent takes is refused before anything is sent', async () => {
    const { path } = await listening()
    const stdin = 'x'.repeat(maxCallLength)
    await expect(callAgent(path, { ...call, stdin })).rejects.toMatchObject({ code: 'CNI_DECODING_FAILURE' })
  })
})
