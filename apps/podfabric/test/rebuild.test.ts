import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { describe, expect, it } from 'vitest'
import { printed } from './fixtures/run-podfabric.ts'
import { type ScratchNode, scratchNode } from './fixtures/scratch-node.ts'

const available = linuxAvailable()
const title = `a damaged state on Linux${available.available ? '' : ` (skipped: ${available.reason})`}`

const bridge = {
  type: 'bridge',
  bridge: 'pods0',
  isDefaultGateway: true,
  ipMasq: true,
  ipam: { type: 'host-local', subnet: '10.86.0.0/24' },
}
const list = { cniVersion: '1.0.0', name: 'pods', plugins: [bridge] }
const config = { cniVersion: '1.0.0', name: 'pods', ...bridge }

async function installed(): Promise<ScratchNode> {
  const node = await scratchNode()
  await node.run('install', '--plugin', 'bridge', '--bin-dir', node.bin, '--conf-dir', node.conf)
  rmSync(join(node.conf, '10-podfabric.conflist'), { force: true })
  node.writeList('10-pods.conflist', list)
  mkdirSync(join(node.cache, 'results'), { recursive: true })
  return node
}

/** Attaches as a runtime of libcni does, which remembers the result where `remembers`. Its address. */
async function attach(node: ScratchNode, containerId: string, remembers = true): Promise<string> {
  const netns = await node.container(containerId)
  const outcome = await node.call('bridge', 'ADD', config, containerId)
  expect(outcome, outcome.stdout + outcome.stderr).toMatchObject({ exitCode: 0 })
  const result = JSON.parse(outcome.stdout)
  if (remembers) remember(node, containerId, netns, result)
  return result.ips[0].address
}

function remember(node: ScratchNode, containerId: string, netns: string, result: object): void {
  const entry = {
    kind: 'cniCacheV1',
    containerId,
    config: 'e30=',
    ifName: 'eth0',
    networkName: 'pods',
    netns,
    result,
  }
  writeFileSync(join(node.cache, 'results', `pods-${containerId}-eth0`), JSON.stringify(entry))
}

const file = (node: ScratchNode) => join(node.state, 'agent.db')

function overwrite(node: ScratchNode): void {
  const fd = openSync(file(node), 'r+')
  try {
    for (let at = 0; at < 32_768; at += 512) writeSync(fd, Buffer.alloc(300, 0xa5), 0, 300, at)
  } finally {
    closeSync(fd)
  }
}

const damages: Readonly<Record<string, (node: ScratchNode) => void>> = {
  'overwritten with other bytes': overwrite,
  truncated: (node) => truncateSync(file(node), 5000),
  deleted: (node) => {
    for (const name of ['agent.db', 'agent.db-wal', 'agent.db-shm'])
      rmSync(join(node.state, name), { force: true })
  },
  'deleted with all that is beside it': (node) => rmSync(node.state, { recursive: true }),
}

async function detachAll(node: ScratchNode, containers: readonly string[]): Promise<void> {
  for (const each of containers) {
    const outcome = await node.call('bridge', 'DEL', config, each)
    expect(outcome, outcome.stdout + outcome.stderr).toMatchObject({ exitCode: 0 })
  }
  expect((await node.host.links.list()).map(({ name }) => name)).toEqual(['lo'])
  expect(await node.host.nft.list()).toEqual([])
  expect(
    (await node.host.routes.list()).filter(({ destination }) => destination.startsWith('10.86.')),
  ).toEqual([])
}

describe.skipIf(!available.available)(title, { timeout: 120_000 }, () => {
  it.each(Object.entries(damages))('that was %s is rebuilt from what lives', async (_, damage) => {
    const node = await installed()
    // Of the second nothing is remembered: the link’s mark tells of it, and its namespace of its address.
    const held = [await attach(node, 'c1'), await attach(node, 'c2', false), await attach(node, 'c3')]
    // The namespace of one that is only remembered is gone: nobody holds its address any more.
    remember(node, 'gone', join(node.state, 'gone'), {
      cniVersion: '1.0.0',
      interfaces: [{ name: 'eth0', sandbox: join(node.state, 'gone') }],
      ips: [{ interface: 0, address: '10.86.0.9/24' }],
    })
    writeFileSync(join(node.cache, 'results', 'pods-half-eth0'), '{"kind":"cniCac')
    damage(node)

    const added = [await attach(node, 'c4'), await attach(node, 'c5')]
    expect(new Set([...held, ...added]).size).toBe(5)
    // Where all is gone nobody knows that there was a state.
    if (readdirSync(node.state).some((name) => name.includes('.damaged-'))) {
      const looked = await node.run('doctor', '--bin-dir', node.bin, '--conf-dir', node.conf, '-o', 'json')
      const found: { readonly check: string; readonly status: string; readonly finding: string }[] =
        JSON.parse(looked.stdout)
      const of = found.filter(({ check }) => check === 'state-file')
      expect(of[0]).toMatchObject({
        status: 'ok',
        finding: expect.stringContaining('attachments recorded: 5'),
      })
      expect(of.slice(1)).toMatchObject([
        { status: 'warning', finding: expect.stringContaining('was damaged and set aside') },
      ])
    }
    await detachAll(node, ['c1', 'c2', 'c3', 'c4', 'c5'])
    const freed = [await attach(node, 'c6', false), await attach(node, 'c7', false)]
    expect(new Set(freed).size).toBe(2)
    await detachAll(node, ['c6', 'c7'])
  })

  it('does not have its agent give an address twice when it is damaged meanwhile', async () => {
    const node = await installed()
    const run = async () => {
      const agent = node.start('agent', '--conf-dir', node.conf)
      await printed(agent, /listening/)
      return async () => {
        const ended = new Promise((resolve) => agent.once('close', resolve))
        agent.kill('SIGTERM')
        await ended
      }
    }
    const stop = await run()
    const held = [await attach(node, 'c1'), await attach(node, 'c2', false)]
    overwrite(node)
    truncateSync(`${file(node)}-wal`, 100)
    /** A runtime makes a call again that failed. */
    const again = async (containerId: string): Promise<string> => {
      await node.container(containerId)
      for (let attempt = 0; attempt < 5; attempt++) {
        const outcome = await node.call('bridge', 'ADD', config, containerId)
        if (outcome.exitCode === 0) return JSON.parse(outcome.stdout).ips[0].address
        await node.call('bridge', 'DEL', config, containerId)
      }
      throw new Error(`${containerId} was not attached`)
    }
    held.push(await again('c3'))
    await stop()
    const stopAgain = await run()
    held.push(await again('c4'))
    await stopAgain()
    expect(new Set(held).size).toBe(4)
    await detachAll(node, ['c1', 'c2', 'c3', 'c4'])
  })
})
