import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatResult } from '@podfabric/cni'
import { inProcess } from '@podfabric/cni/runtime'
import { keptLog } from '@podfabric/cni/testing'
import { within } from '@podfabric/conformance/testing'
import { systemClock } from '@podfabric/kernel'
import { type LinuxKernel, linux, linuxAvailable } from '@podfabric/kernel-linux'
import { ip } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Container, nodeAddress, type PortmapNode, portmapNode, reached } from './node.fixture.ts'
import portmap from './portmap.ts'

const theirs = '/usr/lib/cni/portmap'
const available = linuxAvailable()
const reason = !existsSync(theirs)
  ? `there is no ${theirs}; install containernetworking-plugins`
  : spawnSync('iptables', ['--version']).error !== undefined
    ? 'there is no iptables, which that portmap calls; install iptables'
    : available.available
      ? ''
      : available.reason

type Call = (command: string, config: object, container: Container) => Promise<number>

/** The same calls of two implementations, each on a node of its own: who reaches the container, and whom it sees. */
describe(`in the place of the containernetworking portmap${reason && ` (skipped: ${reason})`}`, () => {
  let machine: LinuxKernel
  let folder: string
  const kernels: LinuxKernel[] = []

  beforeEach(async () => {
    if (reason !== '') return
    folder = await mkdtemp(join(tmpdir(), 'podfabric-portmap-'))
    machine = linux({ directory: join(folder, 'nodes') })
  })
  afterEach(async () => {
    if (reason !== '') return
    for (const kernel of [...kernels.splice(0), machine]) {
      for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
      await kernel[Symbol.asyncDispose]()
    }
    await rm(folder, { recursive: true, force: true })
  })

  async function nodeCalled(name: string) {
    const netns = await machine.netns.create(name)
    const kernel = linux({ host: netns.path, directory: join(folder, `of-${name}`) })
    await netns[Symbol.asyncDispose]()
    kernels.push(kernel)
    await within(kernel, '', ({ links }) => links.set('lo', { up: true }))
    const node = await portmapNode({ kernel, close: async () => undefined })
    return { node, path: netns.path }
  }

  const environment = (command: string, { containerId, ifName, netns }: Container) => ({
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifName,
    CNI_PATH: '/usr/lib/cni',
  })

  const goOn =
    (path: string): Call =>
    async (command, config, container) => {
      const env = { ...environment(command, container), PATH: process.env.PATH }
      const input = JSON.stringify(config)
      const { status, stdout } = spawnSync('nsenter', [`--net=${path}`, theirs], {
        env,
        input,
        encoding: 'utf8',
      })
      if (status !== 0) throw new Error(`${command}: ${stdout}`)
      return status
    }

  function oursOn({ kernel }: PortmapNode): Call {
    const context = {
      kernel,
      store: memoryStore({ clock: systemClock }),
      clock: systemClock,
      log: keptLog().log,
      random: Math.random,
      node: { name: 'node-1' },
    }
    const exec = inProcess({ plugins: { portmap }, context: () => context })
    return async (command, config, container) => {
      const env = environment(command, container)
      const { exitCode, stdout } = await exec.run('portmap', env, JSON.stringify(config))
      if (exitCode !== 0) throw new Error(`${command}: ${stdout}`)
      return exitCode
    }
  }

  const mapping = { hostPort: 8080, containerPort: 80, protocol: 'tcp' }
  const cases: readonly (readonly [string, object, readonly object[]])[] = [
    ['one port of each protocol', {}, [mapping, { ...mapping, protocol: 'udp' }]],
    ['snat turned off', { snat: false }, [mapping]],
    ['another mark bit', { markMasqBit: 7 }, [mapping]],
    ['an address of the node', {}, [{ ...mapping, hostIP: nodeAddress.ip }]],
    ['localhost', {}, [{ ...mapping, hostIP: '127.0.0.1' }]],
    ['all IPv6 addresses', {}, [{ ...mapping, hostIP: '::' }]],
  ]

  it.skipIf(reason !== '').each(cases)(
    'the same reach the container and are seen as the same: %s',
    { timeout: 120_000 },
    async (_, keys, portMappings) => {
      const found = []
      for (const name of ['theirs', 'ours']) {
        const { node, path } = await nodeCalled(name)
        const call = name === 'theirs' ? goOn(path) : oursOn(node)
        const [one, two] = [await node.container('one'), await node.container('two')]
        const config = {
          cniVersion: '1.0.0',
          name: 'net',
          type: 'portmap',
          ...keys,
          runtimeConfig: { portMappings },
          prevResult: formatResult(one.result, '1.0.0'),
        }
        await call('ADD', config, one)
        // Theirs, at version 1.1, looks for the rules of one family in both.
        if (name === 'ours') await call('CHECK', config, one)
        const published = await matrix(node, one, two, portMappings)
        await call('DEL', config, one)
        await call('DEL', config, one)
        const way = { from: node.client, to: nodeAddress.ip, port: 8080, server: one.netns }
        found.push({ published, after: await reached(node.kernel, way) })
      }
      const [first, second] = found
      expect(JSON.stringify(first)).toContain(' saw ')
      expect(second).toEqual(first)
    },
  )

  async function matrix(
    node: PortmapNode,
    one: Container,
    two: Container,
    mappings: readonly object[],
  ): Promise<Readonly<Record<string, string>>> {
    const found: Record<string, string> = {}
    for (const protocol of ['tcp', 'udp'] as const) {
      if (!mappings.some((each) => 'protocol' in each && each.protocol === protocol)) continue
      const from = { client: node.client, node: '', container: two.netns, itself: one.netns }
      for (const [who, place] of Object.entries(from)) {
        for (const to of [nodeAddress.ip, nodeAddress.ip6]) {
          const way = { from: place, to, port: 8080, server: one.netns, protocol }
          found[`${protocol} from ${who} to ${to}`] = await reached(node.kernel, way)
        }
      }
      const local = { from: '', to: ip('127.0.0.1'), port: 8080, server: one.netns, protocol }
      found[`${protocol} from localhost`] = await reached(node.kernel, local)
    }
    return found
  }
})
