import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeFiles } from '@podfabric/agent/takeover'
import type { PluginFactory } from '@podfabric/cni'
import { inProcess } from '@podfabric/cni/runtime'
import { keptLog } from '@podfabric/cni/testing'
import { sandbox, within } from '@podfabric/conformance/testing'
import { type Kernel, systemClock } from '@podfabric/kernel'
import { linux, linuxAvailable } from '@podfabric/kernel-linux'
import { simulate } from '@podfabric/kernel-sim'
import bridge from '@podfabric/plugin-bridge'
import { flannelOn } from '@podfabric/plugin-flannel'
import { hostLocalOn } from '@podfabric/plugin-host-local'
import { memoryStore, scoped } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { networkIn } from './fixtures/network-in.ts'

const go = '/usr/lib/cni'
const available = linuxAvailable()
const noLinux = available.available ? '' : available.reason
const noGo = existsSync(`${go}/bridge`)
  ? noLinux
  : `there is no ${go}/bridge; install containernetworking-plugins`

type Json = Record<string, unknown>

/** A node with its files, and our plugins on it. */
interface TestNode {
  readonly kernel: Kernel
  readonly folder: string
  call(
    type: string,
    command: string,
    config: object,
    netns: string,
  ): Promise<{ exitCode: number; result: Json }>
  close(): Promise<void>
}

const environment = (command: string, netns: string) => ({
  CNI_COMMAND: command,
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: netns,
  CNI_IFNAME: 'eth0',
  CNI_PATH: go,
})
const parsed = (text: string): Json => (text.trim() === '' ? {} : JSON.parse(text))

function nodeOn(kernel: Kernel, folder: string, close: () => Promise<void>): TestNode {
  const store = memoryStore({ clock: systemClock })
  const files = nodeFiles()
  const exec = inProcess({
    plugins: { bridge: bridge as PluginFactory, flannel: flannelOn(files), 'host-local': hostLocalOn(files) },
    context: (network) => ({
      kernel,
      store: scoped(store, `networks/${network}/`),
      clock: systemClock,
      log: keptLog().log,
      random: Math.random,
      node: { name: 'node-1' },
    }),
  })
  return {
    kernel,
    folder,
    close,
    async call(type, command, config, netns) {
      const { stdout, exitCode } = await exec.run(type, environment(command, netns), JSON.stringify(config))
      return { exitCode, result: parsed(stdout) }
    },
  }
}

async function linuxNode(folder: string): Promise<TestNode & { readonly path: string }> {
  const machine = linux({ directory: join(folder, 'nodes') })
  const netns = await machine.netns.create('node')
  const kernel = linux({ host: netns.path, directory: join(folder, 'pods') })
  await netns[Symbol.asyncDispose]()
  await within(kernel, '', ({ links }) => links.set('lo', { up: true }))
  const close = async () => {
    for (const each of [kernel, machine]) {
      for (const { name } of await each.netns.list()) await each.netns.delete(name)
      await each[Symbol.asyncDispose]()
    }
  }
  return { ...nodeOn(kernel, folder, close), path: netns.path }
}

async function simulatedNode(folder: string): Promise<TestNode> {
  const kernel = simulate().node('node-1')
  return nodeOn(kernel, folder, async () => undefined)
}

/** What the documentation of Flannel's plugin says of the delegate's configuration, written down by hand. */
const rendered = (folder: string) => ({
  cniVersion: '0.3.1',
  name: 'cbr0',
  type: 'bridge',
  bridge: 'br-fl',
  hairpinMode: true,
  isDefaultGateway: true,
  isGateway: true,
  ipMasq: false,
  mtu: 1450,
  ipam: {
    type: 'host-local',
    dataDir: join(folder, 'addresses'),
    ranges: [[{ subnet: '10.244.7.0/24' }], [{ subnet: 'fd00:0:0:7::/64' }]],
    routes: [{ dst: '10.244.0.0/16' }, { dst: 'fd00::/48' }],
  },
})

/** As kube-flannel installs it, but for the paths and the bridge's name. */
const listed = (folder: string) => ({
  cniVersion: '0.3.1',
  name: 'cbr0',
  type: 'flannel',
  subnetFile: join(folder, 'subnet.env'),
  dataDir: join(folder, 'flannel'),
  delegate: { bridge: 'br-fl', hairpinMode: true, isDefaultGateway: true },
  ipam: { dataDir: join(folder, 'addresses') },
})

const subnetFile = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.7.1/24
FLANNEL_IPV6_NETWORK=fd00::/48
FLANNEL_IPV6_SUBNET=fd00:0:0:7::1/64
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`

const linkNames = async (kernel: Kernel, netns: string) =>
  (await networkIn(kernel, netns)).links.map(({ name }) => name)

const kernels: readonly (readonly [string, string, (folder: string) => Promise<TestNode>])[] = [
  ['the simulated kernel', '', simulatedNode],
  [`Linux${noLinux && ` (skipped: ${noLinux})`}`, noLinux, linuxNode],
]

describe('in the place of Flannel’s own plugin', () => {
  let folder: string
  const nodes: TestNode[] = []
  const made = <T extends TestNode>(node: T): T => {
    nodes.push(node)
    return node
  }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'podfabric-flannel-drop-in-'))
  })
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.close()
    await rm(folder, { recursive: true, force: true })
  })

  for (const [name, skip, make] of kernels) {
    it.skipIf(skip !== '')(
      `flannel attaches as the daemon’s file says, and DEL needs only the saved file, on ${name}`,
      async () => {
        const { kernel, call } = made(await make(folder))
        const netns = await sandbox(kernel, 'one')
        const config = listed(folder)
        const early = await call('flannel', 'ADD', config, netns)
        expect(early.result).toMatchObject({
          code: 11,
          msg: expect.stringContaining(`there is no ${folder}/subnet.env yet`),
        })
        await writeFile(join(folder, 'subnet.env'), subnetFile)
        const { result } = await call('flannel', 'ADD', config, netns)
        expect(result.ips).toMatchObject([
          { address: '10.244.7.2/24', gateway: '10.244.7.1' },
          { address: 'fd00:0:0:7::2/64', gateway: 'fd00:0:0:7::1' },
        ])
        expect((await networkIn(kernel, netns)).links).toContainEqual(
          expect.objectContaining({ name: 'eth0', mtu: 1450 }),
        )
        expect(JSON.parse(await readFile(join(folder, 'flannel', 'c1'), 'utf8'))).toEqual(rendered(folder))
        await rm(join(folder, 'subnet.env'))
        expect(await call('flannel', 'DEL', config, netns)).toEqual({ exitCode: 0, result: {} })
        expect(await linkNames(kernel, netns)).toEqual(['lo'])
        expect(await readdir(join(folder, 'flannel'))).toEqual([])
        expect(await call('flannel', 'DEL', config, netns)).toEqual({ exitCode: 0, result: {} })
      },
    )
  }

  describe(`beside the containernetworking bridge${noGo && ` (skipped: ${noGo})`}`, () => {
    const asGo = (
      { path }: { readonly path: string },
      command: string,
      config: object,
      netns: string,
    ): Json => {
      const env = { ...environment(command, netns), PATH: process.env.PATH }
      const input = JSON.stringify(config)
      const args = [`--net=${path}`, `${go}/bridge`]
      const { status, stdout, stderr } = spawnSync('nsenter', args, { env, input, encoding: 'utf8' })
      if (status !== 0) throw new Error(`bridge ${command} ended with ${status}: ${stdout}${stderr}`)
      return parsed(stdout)
    }
    /** As its plugin leaves a container: its delegate's configuration saved, and added. */
    const addAsGo = async (node: TestNode & { readonly path: string }, netns: string): Promise<Json> => {
      await mkdir(join(node.folder, 'flannel'), { recursive: true, mode: 0o700 })
      await writeFile(join(node.folder, 'flannel', 'c1'), JSON.stringify(rendered(node.folder)))
      return asGo(node, 'ADD', rendered(node.folder), netns)
    }
    const nodeIn = async (name: string) => {
      const own = join(folder, name)
      await mkdir(own)
      await writeFile(join(own, 'subnet.env'), subnetFile)
      return made(await linuxNode(own))
    }

    it.skipIf(noGo !== '')(
      'makes the same of the daemon’s file as that of the documented configuration',
      async () => {
        const [theirs, ours] = [await nodeIn('theirs'), await nodeIn('ours')]
        const [a, b] = [await sandbox(theirs.kernel, 'one'), await sandbox(ours.kernel, 'one')]
        const first = await addAsGo(theirs, a)
        const second = await ours.call('flannel', 'ADD', listed(ours.folder), b)
        const told = ({ cniVersion, ips, routes }: Json) => ({
          cniVersion,
          ips: (ips as Json[]).map(({ address, gateway }) => ({ address, gateway })),
          routes: (routes as Json[]).map(({ dst }) => dst),
        })
        expect(told(second.result)).toEqual(told(first))
        expect(await networkIn(ours.kernel, b)).toEqual(await networkIn(theirs.kernel, a))
        expect(await networkIn(ours.kernel, '')).toEqual(await networkIn(theirs.kernel, ''))
      },
    )

    it.skipIf(noGo !== '')('deletes what was added there, its addresses and its file too', async () => {
      const node = await nodeIn('node')
      const netns = await sandbox(node.kernel, 'one')
      await addAsGo(node, netns)
      await rm(join(node.folder, 'subnet.env'))
      expect(await node.call('flannel', 'DEL', listed(node.folder), netns)).toEqual({
        exitCode: 0,
        result: {},
      })
      expect(await linkNames(node.kernel, netns)).toEqual(['lo'])
      expect(await readdir(join(node.folder, 'flannel'))).toEqual([])
      const left = await readdir(join(node.folder, 'addresses', 'cbr0'))
      expect(left.filter((name) => /^(10|fd)/.test(name))).toEqual([])
    })

    it.skipIf(noGo !== '')('leaves a file by which the other can delete what was added here', async () => {
      const node = await nodeIn('node')
      const netns = await sandbox(node.kernel, 'one')
      expect((await node.call('flannel', 'ADD', listed(node.folder), netns)).exitCode).toBe(0)
      const saved = JSON.parse(await readFile(join(node.folder, 'flannel', 'c1'), 'utf8'))
      asGo(node, 'DEL', saved, netns)
      expect(await linkNames(node.kernel, netns)).toEqual(['lo'])
    })
  })
})
