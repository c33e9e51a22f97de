import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { agentSockets } from '../src/up/agent-sockets.ts'
import { stateFolder } from '../src/up/state-folder.ts'
import { outcomeOf } from './fixtures/run-podfabric.ts'
import { testLab, twoPods } from './fixtures/test-lab.ts'

const source = (path: string) => fileURLToPath(new URL(`../../../packages/${path}`, import.meta.url))
const network = { cniVersion: '1.1.0', name: 'aside', type: 'bridge', bridge: 'aside0', isGateway: true }
const config = { ...network, ipam: { type: 'host-local', ranges: [[{ subnet: '10.77.0.0/24' }]] } }

async function node1(plugin = 'flannel', pluginFolder = '/') {
  const { lab } = await testLab(twoPods, plugin, pluginFolder)
  const folder = mkdtempSync(join(tmpdir(), 'pf-'))
  const state = stateFolder({ PODFABRIC_STATE: folder })
  const reachable = await agentSockets(lab, state, (work) => work())
  onTestFinished(async () => {
    await reachable.close()
    rmSync(folder, { recursive: true })
  })
  const { kernel } = lab.cluster.node('node-1')
  const netns = await kernel.netns.create('aside')
  const hostLinks = async () => {
    const host = kernel.in(kernel.netns.host)
    try {
      return (await host.links.list()).map(({ name }) => name)
    } finally {
      await host[Symbol.asyncDispose]()
    }
  }

  /** A file that a container runtime executes, with the variables of CNI and the agent's socket. */
  function executable(program: string) {
    const file = join(folder, 'plugin')
    const flags = '--conditions=@podfabric/source --disable-warning=ExperimentalWarning'
    writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' ${flags} '${program}' "$@"\n`)
    chmodSync(file, 0o755)
    return (command: string, stdin: object) => {
      const env = {
        PODFABRIC_AGENT: state.agentSocket('node-1'),
        CNI_COMMAND: command,
        CNI_CONTAINERID: 'aside-1',
        CNI_NETNS: netns.path,
        CNI_IFNAME: 'eth0',
        CNI_PATH: folder,
      }
      const child = spawn(file, [], { env, stdio: ['pipe', 'pipe', 'pipe'] })
      child.stdin.on('error', () => undefined)
      child.stdin.end(JSON.stringify(stdin))
      return outcomeOf(child)
    }
  }
  return { lab: reachable.lab, state, kernel, netns, hostLinks, executable }
}

describe('a plugin executable under a simulated cluster', { timeout: 60_000 }, () => {
  it('attaches, checks and detaches a namespace of a node that exists in the simulation alone', async () => {
    const { kernel, netns, hostLinks, executable } = await node1()
    const before = await hostLinks()
    const call = executable(source('plugin-bridge/src/bin.ts'))

    const added = await call('ADD', config)
    expect(added).toMatchObject({ exitCode: 0, stderr: '' })
    const prevResult = JSON.parse(added.stdout)
    expect(prevResult.ips).toMatchObject([{ address: '10.77.0.2/24' }])
    const inside = kernel.in(netns)
    onTestFinished(() => inside[Symbol.asyncDispose]())
    expect((await inside.addresses.list()).map(({ address }) => address)).toContain('10.77.0.2/24')
    expect(await hostLinks()).toContain('aside0')

    expect(await call('CHECK', { ...config, prevResult })).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    await inside.links.set('eth0', { up: false })
    const broken = await call('CHECK', { ...config, prevResult })
    expect(broken.exitCode).toBe(1)
    expect(JSON.parse(broken.stdout)).toMatchObject({ cniVersion: '1.1.0', code: expect.any(Number) })

    expect(await call('DEL', { ...config, prevResult })).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    expect((await inside.links.list()).map(({ name }) => name)).toEqual(['lo'])
    expect((await hostLinks()).filter((name) => !before.includes(name) && name !== 'aside0')).toEqual([])
  })

  it('cannot spoil its answer by what its plugin prints', async () => {
    const printing = mkdtempSync(join(tmpdir(), 'pf-'))
    onTestFinished(() => rmSync(printing, { recursive: true }))
    writeFileSync(
      join(printing, 'chatty.mjs'),
      `import bridge from '${source('plugin-bridge/src/index.ts')}'
export default (context) => {
  process.stdout.write('{"a": "factory"}')
  const plugin = bridge(context)
  const add = (request) => (process.stdout.write('{"cniVersion": "9.9.9"}'), plugin.add(request))
  return { ...plugin, type: 'chatty', add }
}
`,
    )
    writeFileSync(
      join(printing, 'bin.mjs'),
      `import { run } from '${source('agent/src/exec/index.ts')}'
await run({ type: 'chatty', versions: ['1.1.0'] })
`,
    )
    const { executable } = await node1('./chatty.mjs', printing)
    const call = executable(join(printing, 'bin.mjs'))
    const written: unknown[] = []
    const { write } = process.stdout
    process.stdout.write = (text: string | Uint8Array) => written.push(String(text)) > 0
    const added = await call('ADD', { ...config, type: 'chatty' }).finally(() => {
      process.stdout.write = write
    })
    expect(added).toMatchObject({ exitCode: 0, stderr: '' })
    expect(JSON.parse(added.stdout)).toMatchObject({
      cniVersion: '1.1.0',
      ips: [{ address: '10.77.0.2/24' }],
    })
    expect(written).toContain('{"cniVersion": "9.9.9"}')
    expect(await call('DEL', { ...config, type: 'chatty' })).toMatchObject({ exitCode: 0, stdout: '' })
  })

  it('reaches nodes that join later, and those that are gone no more', async () => {
    const { lab, state } = await node1()
    await lab.addNode('later')
    expect(existsSync(state.agentSocket('later'))).toBe(true)
    await lab.removeNode('later')
    expect(existsSync(state.agentSocket('later'))).toBe(false)
  })
})
