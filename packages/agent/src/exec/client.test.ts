import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testFolder } from '../fixtures/folder.ts'
import type { AgentCall } from '../protocol.ts'
import { installExecutable } from './install-executable.ts'
import { listen, type Serve } from './listen.ts'
import { formatTrailer, parseTrailer } from './trailer.ts'

const source = fileURLToPath(new URL('../../client/client.c', import.meta.url))
const hasCompiler = process.platform === 'linux' && spawnSync('cc', ['--version']).error === undefined
if (!hasCompiler)
  console.log('the thin client is not tested: there is no C compiler `cc`, or this is not Linux')

/** What stands in for the plugin's script: it tells that it ran, and what it got. */
const script = `process.stdin.pipe(process.stdout); process.exitCode = 7`

async function installed(client: 'thin' | 'script' = 'thin') {
  const folder = await testFolder()
  const [binary, fallback] = [join(folder, 'client'), join(folder, "it's a script.cjs")]
  await writeFile(fallback, script)
  if (client === 'thin') {
    const { status, stderr } = spawnSync('cc', ['-std=c11', '-static', '-o', binary, source], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
  }
  const socket = join(folder, 'agent.sock')
  await installExecutable({
    path: join(folder, 'dummy'),
    socket,
    state: join(folder, 'state'),
    node: process.execPath,
    script: fallback,
    client: client === 'thin' ? await readFile(binary) : undefined,
  })
  return { folder, socket, file: join(folder, 'dummy') }
}

function start(file: string, env: Readonly<Record<string, string>>, stdin: string | Uint8Array) {
  const child = spawn(file, [], { env })
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin)
  const heard = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      heard[name] += text
    })
  }
  const done = once(child, 'close').then(([exitCode]) => ({ ...heard, exitCode }))
  return { child, done }
}

async function serving(path: string, serve: Serve) {
  const socket = await listen(path, serve)
  onTestFinished(() => socket.close())
}

describe.skipIf(!hasCompiler)('the thin client', { timeout: 60_000 }, () => {
  it('hands its call over, its name as the type, and prints the answer', async () => {
    const { socket, file } = await installed()
    const calls: AgentCall[] = []
    await serving(socket, async (call) => {
      calls.push(call)
      return { stdout: `${call.stdin.length}`, stderr: 'said aside', exitCode: 3 }
    })
    const env = { CNI_COMMAND: 'ADD', CNI_NETNS: '/proc/self/ns/net', CNI_ARGS: '', HOME: '/root' }
    const stdin = 'é'.repeat(500_000)
    expect(await start(file, env, stdin).done).toEqual({
      stdout: '500000',
      stderr: 'said aside',
      exitCode: 3,
    })
    const { HOME, ...handed } = env
    expect(calls.map(({ type, env: got, stdin: read }) => ({ type, got, same: read === stdin }))).toEqual([
      { type: 'dummy', got: handed, same: true },
    ])
  })

  it('that is killed gives its call up', async () => {
    const { socket, file } = await installed()
    const begun = Promise.withResolvers<void>()
    const given = Promise.withResolvers<void>()
    await serving(socket, async (_call, { signal }) => {
      signal.addEventListener('abort', () => given.resolve())
      begun.resolve()
      await given.promise
      return { stdout: '', stderr: '', exitCode: 0 }
    })
    const { child, done } = start(file, { CNI_COMMAND: 'ADD' }, '{}')
    await begun.promise
    child.kill('SIGKILL')
    await given.promise
    await done
  })

  it.each(['ADD', 'VERSION', ''])('with CNI_COMMAND %j and no agent becomes the script', async (command) => {
    const { file } = await installed()
    expect(await start(file, { CNI_COMMAND: command }, '{"a":1}').done).toEqual({
      stdout: '{"a":1}',
      stderr: '',
      exitCode: 7,
    })
  })

  it.each(['thin', 'script'] as const)('tells the script where the node’s state is (%s)', async (client) => {
    const { folder, file } = await installed(client)
    const { env } = process
    await writeFile(join(folder, "it's a script.cjs"), 'console.log(process.env.PODFABRIC_STATE)')
    const state = async (given: Readonly<Record<string, string>>) =>
      (await start(file, { CNI_COMMAND: 'DEL', PATH: env.PATH ?? '', ...given }, '{}').done).stdout.trim()
    expect(await state({})).toBe(join(folder, 'state'))
    expect(await state({ PODFABRIC_STATE: '/elsewhere' })).toBe('/elsewhere')
  })

  it('says so when the agent breaks off', async () => {
    const { socket, file } = await installed()
    const { createServer } = await import('node:net')
    const rude = createServer((connection) => connection.destroy()).listen(socket)
    await once(rude, 'listening')
    onTestFinished(() => void rude.close())
    const { stdout, exitCode } = await start(file, { CNI_COMMAND: 'ADD' }, '{}').done
    expect({ ...JSON.parse(stdout), exitCode }).toMatchObject({ code: 5, exitCode: 1 })
  })

  it('refuses to run when its trailer is damaged', async () => {
    const { file } = await installed()
    const octets = await readFile(file)
    octets[octets.length - 20] = 0x2f
    await writeFile(file, octets)
    const { stdout, exitCode } = await start(file, { CNI_COMMAND: 'ADD' }, '{}').done
    expect({ ...JSON.parse(stdout), exitCode }).toMatchObject({ code: 999, exitCode: 1 })
  })
})

describe.skipIf(process.platform === 'win32')('where there is no client', () => {
  it('a shell script starts the script by its absolute path', async () => {
    const { file } = await installed('script')
    expect((await stat(file)).mode & 0o777).toBe(0o755)
    expect(await start(file, { CNI_COMMAND: 'ADD' }, '{}').done).toEqual({
      stdout: '{}',
      stderr: '',
      exitCode: 7,
    })
  })
})

describe('a trailer', () => {
  const path = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => `/${text.replaceAll('\0', '')}`)
  const trailer = fc.record({ socket: path, state: path, node: path, script: path })

  it('is read back behind any file', () => {
    fc.assert(
      fc.property(fc.uint8Array(), trailer, (file, one) => {
        expect(parseTrailer(Buffer.concat([file, formatTrailer(one)]))).toEqual(one)
      }),
    )
  })

  it('that is damaged is none', () => {
    fc.assert(
      fc.property(trailer, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, change) => {
        const octets = formatTrailer(one)
        const where = at % octets.length
        octets[where] = (octets[where] ?? 0) ^ change
        expect(parseTrailer(octets)).toBeUndefined()
      }),
    )
  })

  it('holds absolute paths only', () => {
    expect(() => formatTrailer({ socket: '/s', state: '/t', node: 'node', script: '/b' })).toThrow(RangeError)
  })
})
