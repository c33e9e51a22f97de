import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeFiles } from '@podfabric/agent/takeover'
import { inProcess } from '@podfabric/cni/runtime'
import { keptLog } from '@podfabric/cni/testing'
import { sandbox, within } from '@podfabric/conformance/testing'
import { systemClock } from '@podfabric/kernel'
import { type LinuxKernel, linux, linuxAvailable } from '@podfabric/kernel-linux'
import bridge from '@podfabric/plugin-bridge'
import { hostLocalOn } from '@podfabric/plugin-host-local'
import loopback from '@podfabric/plugin-loopback'
import { memoryStore, scoped } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { networkIn } from './fixtures/network-in.ts'

const folder = '/usr/lib/cni'
const available = linuxAvailable()
const reason = !existsSync(`${folder}/bridge`)
  ? `there is no ${folder}/bridge; install containernetworking-plugins`
  : available.available
    ? ''
    : available.reason

interface TestNode {
  readonly kernel: LinuxKernel
  /** Of its namespace. */
  readonly path: string
}

type Json = Record<string, unknown>
interface Answer {
  readonly exitCode: number
  readonly result: Json
}
type Call = (type: string, command: string, config: object, netns: string, id?: string) => Promise<Answer>

/** One node for each implementation, fresh for each test. */
describe(`in the place of the containernetworking plugins${reason && ` (skipped: ${reason})`}`, () => {
  let machine: LinuxKernel
  let theirs: TestNode
  let ours: TestNode
  let dataDir: string

  beforeEach(async () => {
    if (reason !== '') return
    dataDir = await mkdtemp(join(tmpdir(), 'podfabric-drop-in-'))
    machine = linux({ directory: join(dataDir, 'nodes') })
    theirs = await nodeCalled('theirs')
    ours = await nodeCalled('ours')
    await writeFile(join(dataDir, 'resolv.conf'), 'nameserver 10.0.0.1\nsearch a.test\n')
  })
  afterEach(async () => {
    if (reason !== '') return
    for (const { kernel } of [theirs, ours]) await clear(kernel)
    await clear(machine)
    await rm(dataDir, { recursive: true, force: true })
  })

  async function nodeCalled(name: string): Promise<TestNode> {
    const netns = await machine.netns.create(name)
    const kernel = linux({ host: netns.path, directory: join(dataDir, `of-${name}`) })
    await netns[Symbol.asyncDispose]()
    await within(kernel, '', ({ links }) => links.set('lo', { up: true }))
    return { kernel, path: netns.path }
  }

  async function clear(kernel: LinuxKernel): Promise<void> {
    for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
    await kernel[Symbol.asyncDispose]()
  }

  const environment = (command: string, netns: string, id: string, ifName: string) => ({
    CNI_COMMAND: command,
    CNI_CONTAINERID: id,
    CNI_NETNS: netns,
    CNI_IFNAME: ifName,
    CNI_PATH: folder,
  })
  const nameOf = (type: string) => (type === 'loopback' ? 'lo' : 'eth0')
  const parsed = (text: string): Json => (text.trim() === '' ? {} : JSON.parse(text))

  const goOn =
    (node: TestNode): Call =>
    async (type, command, config, netns, id = 'c1') => {
      const env = { ...environment(command, netns, id, nameOf(type)), PATH: process.env.PATH }
      const args = [`--net=${node.path}`, `${folder}/${type}`]
      const { status, stdout, stderr } = spawnSync('nsenter', args, {
        env,
        input: JSON.stringify(config),
        encoding: 'utf8',
      })
      if (stdout === '' && status !== 0) throw new Error(`${type} ${command} ended with ${status}: ${stderr}`)
      return { exitCode: status ?? -1, result: parsed(stdout) }
    }

  function oursOn({ kernel }: TestNode): Call {
    const store = memoryStore({ clock: systemClock })
    const exec = inProcess({
      plugins: { bridge, loopback, 'host-local': hostLocalOn(nodeFiles()) },
      context: (network) => ({
        kernel,
        store: scoped(store, `networks/${network}/`),
        clock: systemClock,
        log: keptLog().log,
        random: Math.random,
        node: { name: 'node-1' },
      }),
    })
    return async (type, command, config, netns, id = 'c1') => {
      const env = environment(command, netns, id, nameOf(type))
      const { stdout, exitCode } = await exec.run(type, env, JSON.stringify(config))
      return { exitCode, result: parsed(stdout) }
    }
  }

  const config = (more: Json, cniVersion: string) => ({
    cniVersion,
    name: 'net',
    type: 'bridge',
    bridge: 'br-drop',
    ...more,
    ...(typeof more.ipam === 'object' && {
      ipam: { type: 'host-local', dataDir: `${dataDir}/ours`, ...more.ipam },
    }),
  })

  /**
   * What a result says but for names and MAC addresses that are made up. Differences that are meant: a route of IPAM without a
   * gateway is told with the gateway that it was given in the kernel; empty lists are told by neither or either.
   */
  const told = ({ interfaces, ips, routes, dns, cniVersion }: Json) => ({
    cniVersion,
    interfaces: ((interfaces ?? []) as Json[]).map(({ name, sandbox: where }) => ({
      name: where || name === 'br-drop' ? name : 'veth',
      inside: Boolean(where),
    })),
    ips: ips ?? [],
    routes: ((routes ?? []) as Json[]).map(({ dst }) => dst),
    dns: dns ?? {},
  })

  const v4 = { subnet: '10.88.0.0/24' }
  const dual = { ranges: [[v4], [{ subnet: 'fd88::/64' }]] }
  const cases: readonly (readonly [string, Json, string])[] = [
    ['nothing but addresses', { ipam: v4 }, '1.0.0'],
    ['isGateway', { isGateway: true, ipam: v4 }, '0.4.0'],
    ['isDefaultGateway', { isDefaultGateway: true, ipam: v4 }, '0.3.1'],
    ['isDefaultGateway at 1.0.0', { isDefaultGateway: true, ipam: v4 }, '1.0.0'],
    ['two families', { isDefaultGateway: true, ipam: dual }, '1.0.0'],
    ['ipMasq', { isGateway: true, ipMasq: true, ipam: v4 }, '1.0.0'],
    ['mtu', { isGateway: true, mtu: 1400, ipam: v4 }, '1.0.0'],
    ['hairpinMode', { isGateway: true, hairpinMode: true, ipam: v4 }, '1.0.0'],
    [
      'a range with a gateway',
      {
        isGateway: true,
        ipam: {
          ranges: [[{ ...v4, rangeStart: '10.88.0.9', rangeEnd: '10.88.0.20', gateway: '10.88.0.254' }]],
        },
      },
      '1.0.0',
    ],
    [
      'routes',
      {
        isGateway: true,
        ipam: { ...v4, routes: [{ dst: '0.0.0.0/0' }, { dst: '10.9.0.0/16', gw: '10.88.0.7' }] },
      },
      '1.0.0',
    ],
    ['dns', { isGateway: true, dns: { nameservers: ['10.0.0.2'] }, ipam: v4 }, '1.0.0'],
    ['no IPAM', {}, '1.0.0'],
  ]

  it.skipIf(reason !== '').each(cases)(
    'bridge and host-local make the same of %s',
    async (_, more, version) => {
      const compared = []
      for (const [node, call, at] of [
        [theirs, goOn(theirs), 'theirs'],
        [ours, oursOn(ours), 'ours'],
      ] as const) {
        const netns = await sandbox(node.kernel, 'one')
        const given = config(more, version)
        const own = given.ipam ? { ...given, ipam: { ...given.ipam, dataDir: `${dataDir}/${at}` } } : given
        const { exitCode, result } = await call('bridge', 'ADD', own, netns)
        const made = {
          inside: await networkIn(node.kernel, netns),
          outside: await networkIn(node.kernel, ''),
        }
        const removed = await call('bridge', 'DEL', own, netns)
        compared.push({
          exitCode,
          told: told(result),
          made,
          removed,
          after: await networkIn(node.kernel, netns),
        })
      }
      expect(compared[0]?.exitCode, JSON.stringify(compared[0])).toBe(0)
      expect(compared[1]).toEqual(compared[0])
    },
  )

  it.skipIf(reason !== '')(
    'dns of resolvConf is in the result, which theirs loses behind bridge at version 1.1',
    async () => {
      const more = { ipam: { ...v4, resolvConf: `${dataDir}/resolv.conf` } }
      const [a, b] = [await sandbox(theirs.kernel, 'one'), await sandbox(ours.kernel, 'one')]
      const given = config(more, '1.0.0')
      const other = { ...given, ipam: { ...given.ipam, dataDir: `${dataDir}/theirs` } }
      const first = await goOn(theirs)('bridge', 'ADD', other, a)
      const second = await oursOn(ours)('bridge', 'ADD', given, b)
      expect([first.exitCode, second.exitCode]).toEqual([0, 0])
      const whole = { nameservers: ['10.0.0.1'], search: ['a.test'] }
      expect([{}, whole]).toContainEqual(first.result.dns ?? {})
      expect(second.result.dns).toEqual(whole)
    },
  )

  it.skipIf(reason !== '')('loopback says the same', async () => {
    const given = { cniVersion: '1.0.0', name: 'lo', type: 'loopback' }
    const [a, b] = [await sandbox(theirs.kernel, 'one'), await sandbox(ours.kernel, 'one')]
    const first = await goOn(theirs)('loopback', 'ADD', given, a)
    const second = await oursOn(ours)('loopback', 'ADD', given, b)
    expect(told(second.result)).toEqual(told(first.result))
    expect(await networkIn(ours.kernel, b)).toEqual(await networkIn(theirs.kernel, a))
  })

  it.skipIf(reason !== '')(
    'checks and deletes what they added, and gives its address to nobody meanwhile',
    async () => {
      const given = config({ isDefaultGateway: true, ipam: v4 }, '1.0.0')
      const [one, two] = [await sandbox(ours.kernel, 'one'), await sandbox(ours.kernel, 'two')]
      const added = await goOn(ours)('bridge', 'ADD', given, one)
      expect(added.exitCode).toBe(0)
      const call = oursOn(ours)
      const second = await call('bridge', 'ADD', given, two, 'c2')
      expect(second.result.ips).toMatchObject([{ address: '10.88.0.3/24' }])
      const withResult = { ...given, prevResult: added.result }
      expect(await call('bridge', 'CHECK', withResult, one)).toEqual({ exitCode: 0, result: {} })
      expect(await call('bridge', 'DEL', given, one)).toEqual({ exitCode: 0, result: {} })
      expect(existsSync(`${dataDir}/ours/net/10.88.0.2`)).toBe(false)
      expect((await networkIn(ours.kernel, one)).links.map(({ name }) => name)).toEqual(['lo'])
      const gone = await call('bridge', 'CHECK', withResult, one)
      expect(gone.result.code).toBe(104)
    },
  )
})
