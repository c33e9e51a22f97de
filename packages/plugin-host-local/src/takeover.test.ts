import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeFiles } from '@podfabric/agent/takeover'
import { parseNetworkList } from '@podfabric/cni'
import { cniRuntime, inProcess } from '@podfabric/cni/runtime'
import { keptLog } from '@podfabric/cni/testing'
import { memoryStore } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hostLocalOn } from './index.ts'

const go = '/usr/lib/cni/host-local'
const reason = existsSync(go) ? '' : ` (skipped: there is no ${go}; install containernetworking-plugins)`

describe('taking over the addresses of the containernetworking host-local', () => {
  let dataDir: string
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'podfabric-takeover-'))
  })
  afterEach(() => rm(dataDir, { recursive: true, force: true }))

  const ipam = (more: object = {}) => ({
    type: 'host-local',
    dataDir,
    ranges: [[{ subnet: '10.88.0.0/29' }]],
    ...more,
  })
  const list = (more: object = {}) =>
    parseNetworkList(
      JSON.stringify({
        cniVersion: '1.1.0',
        name: 'net',
        plugins: [{ type: 'host-local', ipam: ipam(more) }],
      }),
    )
  const attachment = (containerId: string) => ({ containerId, ifName: 'eth0', netns: '/run/netns/x' })
  const names = async () => (await readdir(join(dataDir, 'net'))).sort()
  const files = async (texts: Readonly<Record<string, string>>) => {
    await mkdir(join(dataDir, 'net'), { recursive: true })
    for (const [name, text] of Object.entries(texts)) await writeFile(join(dataDir, 'net', name), text)
  }

  function node() {
    const clock = manualClock()
    const { log, logged } = keptLog()
    const store = memoryStore({ clock })
    const exec = inProcess({
      plugins: { 'host-local': hostLocalOn(nodeFiles()) },
      // The plugin has no use for a kernel.
      context: () => ({ kernel: {} as never, store, clock, log, random: () => 0, node: { name: 'n' } }),
    })
    return { runtime: cniRuntime({ exec, store: memoryStore({ clock }), log }), logged }
  }

  const asGo = (command: string, containerId: string, more: object = {}) => {
    const input = JSON.stringify({ cniVersion: '1.0.0', name: 'net', type: 'bridge', ipam: ipam(more) })
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: '/run/netns/x',
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/usr/lib/cni',
    }
    const { status, stdout } = spawnSync(go, { env, input, encoding: 'utf8' })
    expect([command, containerId, status, stdout]).toEqual([command, containerId, 0, expect.anything()])
    return stdout === '' ? {} : JSON.parse(stdout)
  }

  it('gives no address that a file holds, goes on behind the last one given, and DEL frees both', async () => {
    await files({
      lock: '',
      '10.88.0.2': 'old\r\neth0',
      '10.88.0.4': 'older\r\neth0',
      'last_reserved_ip.0': '10.88.0.2',
    })
    const { runtime } = node()
    const first = await runtime.add(list(), attachment('a'))
    const second = await runtime.add(list(), attachment('b'))
    const given = [first, second].map(({ ips }) => ips[0]?.address)
    expect(given).toEqual(['10.88.0.3/29', '10.88.0.5/29'])
    await runtime.add(list(), attachment('c'))
    await expect(runtime.addOrUndo(list(), attachment('d'))).rejects.toMatchObject({ number: 101 })
    await runtime.del(list(), attachment('old'))
    expect(await names()).toEqual(['10.88.0.4', 'last_reserved_ip.0', 'lock'])
    expect((await runtime.add(list(), attachment('d'))).ips[0]?.address).toBe('10.88.0.2/29')
  })

  it('honours a file that comes later, and frees the address of one that somebody else took away', async () => {
    await files({ lock: '' })
    const { runtime } = node()
    await runtime.add(list(), attachment('a'))
    await files({ '10.88.0.3': 'late\r\neth0' })
    expect((await runtime.add(list(), attachment('b'))).ips[0]?.address).toBe('10.88.0.4/29')
    await rm(join(dataDir, 'net', '10.88.0.3'))
    for (const id of ['c', 'd']) await runtime.add(list(), attachment(id))
    expect((await runtime.add(list(), attachment('e'))).ips[0]?.address).toBe('10.88.0.3/29')
  })

  it('leaves alone and reports what it does not understand, and does not give an address whose holder it cannot read', async () => {
    await files({ '10.88.0.2': 'two\r\nlines\r\nmore', 'notes.txt': 'x' })
    const { runtime, logged } = node()
    expect((await runtime.add(list(), attachment('a'))).ips[0]?.address).toBe('10.88.0.3/29')
    const said = logged.map(({ message }) => message).join('\n')
    expect(said).toContain('notes.txt is not a file of host-local')
    expect(said).toContain('10.88.0.2 does not name its holder')
    await runtime.gc(list(), [])
    expect(await names()).toEqual(['10.88.0.2', 'lock', 'notes.txt'])
  })

  it('releases by the container alone where an old file names no interface, and collects what is not valid', async () => {
    await files({ '10.88.0.2': 'ancient', '10.88.0.3': 'stale\r\neth0', '10.88.0.4': 'alive' })
    const { runtime } = node()
    await runtime.del(list(), attachment('ancient'))
    await runtime.gc(list(), [attachment('alive')])
    expect(await names()).toEqual(['10.88.0.4', 'lock'])
    expect((await runtime.add(list(), attachment('a'))).ips[0]?.address).toBe('10.88.0.2/29')
  })

  it('reads dns from resolvConf, and fails without the file before it gives anything', async () => {
    const resolvConf = join(dataDir, 'resolv.conf')
    const { runtime } = node()
    await expect(runtime.addOrUndo(list({ resolvConf }), attachment('a'))).rejects.toMatchObject({
      number: 5,
    })
    await writeFile(resolvConf, '# none\nnameserver 10.0.0.1\nsearch a.test b.test\noptions ndots:5\n')
    expect((await runtime.add(list({ resolvConf }), attachment('a'))).dns).toEqual({
      nameservers: ['10.0.0.1'],
      search: ['a.test', 'b.test'],
      options: ['ndots:5'],
    })
  })

  it.skipIf(reason !== '')(`agrees with it, and DELs what it added${reason}`, async () => {
    const resolvConf = join(dataDir, 'resolv.conf')
    await writeFile(resolvConf, 'nameserver 10.0.0.1\ndomain a.test\nsearch b.test\noptions ndots:5\n')
    const more = {
      resolvConf,
      ranges: [[{ subnet: '10.88.0.0/29' }], [{ subnet: 'fd00::/125', gateway: 'fd00::5' }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: 'fd01::/64', gw: 'fd00::6' }],
    }
    const theirs = asGo('ADD', 'go-1', more)
    const { runtime } = node()
    const ours = await runtime.add(list(more), attachment('ours'))
    // Theirs is the first of each range, ours the next: what was held is passed over.
    expect(theirs.ips.map(({ address }: { address: string }) => address)).toEqual([
      '10.88.0.2/29',
      'fd00::1/125',
    ])
    expect(ours.ips.map(({ address }) => address)).toEqual(['10.88.0.3/29', 'fd00::2/125'])
    expect(ours.ips.map(({ gateway }) => gateway)).toEqual(
      theirs.ips.map(({ gateway }: { gateway: string }) => gateway),
    )
    expect(ours.dns).toEqual(theirs.dns)
    expect(
      ours.routes.map(({ destination, gateway }) => ({ dst: destination, ...(gateway && { gw: gateway }) })),
    ).toEqual(theirs.routes)
    await runtime.del(list(more), attachment('go-1'))
    expect((await names()).filter((name) => /^(10|fd)/.test(name))).toEqual([])
    asGo('DEL', 'go-1', more)
  })
})
