import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { linux, linuxAvailable } from '@podfabric/kernel-linux'
import { describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('../fixtures/killed-agent.ts', import.meta.url))
const available = linuxAvailable()
const reason = available.available
  ? spawnSync('ip', ['-V']).error && 'there is no command ip'
  : available.reason
if (reason) console.log(`killing the agent is not tested here: ${reason}`)

interface Ended {
  readonly killed: boolean
  readonly exitCode: number
  readonly stdout: string
  readonly steps: number
}

/** One call of a process of its own in the network namespace `host`, killed behind its `dieAfter`-th step; 0 lets it live. */
function call(host: string, store: string, command: string, netns: string, dieAfter: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const node = [process.execPath, '--conditions=@podfabric/source', program]
    const child = spawn('nsenter', [`--net=${host}`, '--', ...node], {
      env: {
        PATH: process.env.PATH,
        STORE: store,
        DIE_AFTER: `${dieAfter}`,
        STDIN: JSON.stringify({
          cniVersion: '1.1.0',
          name: 'net',
          type: 'dummy',
          ...(command === 'GC' && { 'cni.dev/valid-attachments': [] }),
        }),
        CNI_COMMAND: command,
        CNI_CONTAINERID: 'c1',
        CNI_IFNAME: 'eth0',
        CNI_NETNS: netns,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
    child.on('error', reject)
    child.on('close', (_code, signal) => {
      if (signal !== null || text === '')
        return resolve({ killed: true, exitCode: -1, stdout: '', steps: dieAfter })
      resolve({ killed: false, ...JSON.parse(text) })
    })
  })
}

/** Everything that one namespace has and a call may have changed. */
function state(netns: string): string {
  const shown = [
    ['ip', '-o', 'link'],
    ['ip', '-o', 'addr'],
    ['ip', 'route', 'show', 'table', 'all'],
    ['ip', 'rule'],
    ['ip', 'neigh'],
  ].map(([command = '', ...args]) => {
    const { stdout, status, stderr } = spawnSync('nsenter', [`--net=${netns}`, '--', command, ...args], {
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
    return stdout
  })
  return shown.join('--\n')
}

describe.skipIf(reason !== undefined)('a process that is killed', { timeout: 120_000 }, () => {
  it.each([
    ['ADD', 'DEL'],
    ['ADD', 'GC'],
    ['DEL', 'DEL'],
    ['DEL', 'GC'],
  ])('behind any step of %s leaves nothing that a later %s does not remove', async (command, remedy) => {
    const folder = mkdtempSync(join(tmpdir(), 'podfabric-killed-'))
    const kernel = linux({ directory: join(folder, 'netns') })
    try {
      const host = await kernel.netns.create('host')
      const pod = await kernel.netns.create('pod')
      const before = [state(host.path), state(pod.path)]
      let killed = 0
      for (let dieAfter = 1; ; dieAfter++) {
        const store = join(folder, `state-${dieAfter}`, 'agent.db')
        const run = (verb: string, at = 0) => call(host.path, store, verb, pod.path, at)
        if (command === 'DEL') expect(await run('ADD')).toMatchObject({ exitCode: 0 })
        const ended = await run(command, dieAfter)
        expect(await run(remedy)).toMatchObject({ killed: false, exitCode: 0 })
        expect([state(host.path), state(pod.path)]).toEqual(before)
        // What is forgotten is forgotten: the same attachment can be made and taken away again.
        if (!ended.killed) {
          expect(ended.steps).toBeLessThan(dieAfter)
          break
        }
        killed += 1
      }
      expect(killed).toBeGreaterThanOrEqual(2)
      await host[Symbol.asyncDispose]()
      await pod[Symbol.asyncDispose]()
    } finally {
      for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
      await kernel[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
