import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { NftCommand } from '@podfabric/kernel'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { ifAddress, prefix } from '@podfabric/netaddr'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ScratchNode, scratchNode } from './fixtures/scratch-node.ts'

const available = linuxAvailable()
const title = `podfabric clean${available.available ? '' : ` (skipped: ${available.reason})`}`

const network = {
  cniVersion: '1.0.0',
  name: 'pods',
  type: 'bridge',
  bridge: 'pods0',
  isDefaultGateway: true,
  ipMasq: true,
  ipam: { type: 'host-local', subnet: '10.87.0.0/24' },
}
const { cniVersion, name, ...plugin } = network
const list = { cniVersion, name, plugins: [plugin] }

const theirTable = { family: 'ip', table: 'podfabric-like' } as const
const theirs: readonly NftCommand[] = [
  { verb: 'add', object: { kind: 'table', family: 'ip', name: 'podfabric-like' } },
  { verb: 'add', object: { kind: 'chain', ...theirTable, name: 'c' } },
  {
    verb: 'add',
    object: {
      kind: 'rule',
      ...theirTable,
      chain: 'c',
      expressions: [{ verdict: 'accept' }],
      comment: 'theirs',
    },
  },
]

/** Somebody else's bridge with an address and a route, a table with a name like ours, a file in our folder. */
async function addTheirs({ host }: ScratchNode): Promise<void> {
  await host.links.add({ kind: 'bridge', name: 'theirs0', up: true, alias: 'not podfabric:' })
  await host.addresses.add({ link: 'theirs0', address: ifAddress('192.168.77.1/24') })
  await host.routes.add({ destination: prefix('10.99.0.0/16'), link: 'theirs0', protocol: 4 })
  await host.nft.apply(theirs)
}

/** What does not come and go by itself. */
async function shown({ host }: ScratchNode): Promise<readonly string[]> {
  const rows = [
    ...(await host.links.list()).map(({ name: link, kind, alias }) => ({ link, kind, alias })),
    ...(await host.addresses.list()),
    ...(await host.routes.list()),
    ...(await host.rules.list()),
    ...(await host.nft.list()),
  ]
  return rows.map((row) => JSON.stringify(row)).filter((row) => !/"(fe80|ff00)::|anycast/.test(row))
}

describe.skipIf(!available.available)(title, { timeout: 60_000 }, () => {
  it('removes all of an attachment and what it shared, and nothing of others', async () => {
    const node = await scratchNode()
    await addTheirs(node)
    const before = await shown(node)
    expect(
      await node.run('install', '--plugin', 'bridge', '--bin-dir', node.bin, '--conf-dir', node.conf),
    ).toMatchObject({
      exitCode: 0,
    })
    node.writeList('10-podfabric.conflist', list)
    const netns = await node.container('c1')
    expect(await node.call('bridge', 'ADD', network, 'c1')).toMatchObject({ exitCode: 0 })
    const attached = await shown(node)
    expect(attached.join()).toContain('podfabric-bridge-pods')

    const dry = await node.run('clean', '--conf-dir', node.conf, '--dry-run')
    expect(dry).toMatchObject({ exitCode: 0 })
    for (const what of ['attachment pods c1 eth0', 'link pods0', 'nftables table ip podfabric-bridge-pods']) {
      expect(dry.stdout).toContain(`would remove ${what}\n`)
    }
    expect(await shown(node)).toEqual(attached)
    expect(existsSync(join(node.state, 'agent.db'))).toBe(true)

    writeFileSync(join(node.state, 'theirs'), '')
    const done = await node.run('clean', '--conf-dir', node.conf)
    expect(done, done.stderr).toMatchObject({ exitCode: 0 })
    // The same lines, but for the log's files, which are gone when the state was closed.
    const said = (text: string, word: string) =>
      text
        .split('\n')
        .flatMap((line) => (/ (attachment|link|nftables) /.test(line) ? [line.replace(word, '')] : []))
    expect(said(done.stdout, 'removed').sort()).toEqual(said(dry.stdout, 'would remove').sort())
    expect(await shown(node)).toEqual(before)
    expect(readdirSync(node.state)).toEqual(['theirs'])
    const inside = node.kernel.in(await node.kernel.netns.open(netns))
    onTestFinished(() => inside[Symbol.asyncDispose]())
    expect((await inside.links.list()).map((link) => link.name)).toEqual(['lo'])

    const again = await node.run('clean', '--conf-dir', node.conf)
    expect(again).toEqual({ exitCode: 0, stdout: '', stderr: '' })
  })

  it('finds what a network without its list and without its state left, by the mark', async () => {
    const node = await scratchNode()
    await addTheirs(node)
    const before = await shown(node)
    await node.host.links.add({ kind: 'bridge', name: 'old0', alias: 'podfabric:bridge/old' })
    await node.host.links.set('old0', { up: true })
    await node.host.routes.add({ destination: prefix('10.98.0.0/16'), link: 'theirs0', protocol: 80 })
    await node.host.rules.add({ family: 4, priority: 100, action: { lookup: 254 }, protocol: 80 })
    await node.host.rules.add({ family: 4, priority: 101, action: { lookup: 254 }, protocol: 4 })
    const done = await node.run('clean', '--conf-dir', node.conf)
    expect(done, done.stderr).toMatchObject({ exitCode: 0 })
    expect(done.stdout.trim().split('\n').sort()).toEqual([
      'removed link old0',
      'removed route to 10.98.0.0/16 dev theirs0',
      'removed rule of priority 100',
    ])
    await node.host.rules.delete({ family: 4, priority: 101, action: { lookup: 254 }, protocol: 4 })
    expect(await shown(node)).toEqual(before)
  })

  it('gives settings the values that stood before us, unless somebody else changed them since', async () => {
    const node = await scratchNode()
    const [four, six] = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']
    const dual = { ...network, ipam: { ...network.ipam, ranges: [[{ subnet: 'fd00:87::/64' }]] } }
    for (const name of [four, six]) await node.host.sysctl.set(name, '0')
    await node.run('install', '--plugin', 'bridge', '--bin-dir', node.bin, '--conf-dir', node.conf)
    const values = async () => [await node.host.sysctl.get(four), await node.host.sysctl.get(six)]

    // The executable runs the plugin itself: no agent is there.
    await node.container('c1')
    expect(await node.call('bridge', 'ADD', dual, 'c1')).toMatchObject({ exitCode: 0 })
    await node.container('c2')
    const blue = { ...network, name: 'blue', bridge: 'blue0' }
    expect(await node.call('bridge', 'ADD', blue, 'c2')).toMatchObject({ exitCode: 0 })
    expect(await values()).toEqual(['1', '1'])

    const looked = await node.run('doctor', '--bin-dir', node.bin, '--conf-dir', node.conf, '-o', 'json')
    const found: { readonly check: string; readonly finding: string }[] = JSON.parse(looked.stdout)
    expect(found.filter(({ check }) => check === 'settings').map(({ finding }) => finding)).toEqual([
      `${four} is 1 because of network blue, pods; it was 0 before`,
      `${six} is 1 because of network pods; it was 0 before`,
    ])
    const dry = await node.run('clean', '--conf-dir', node.conf, '--dry-run')
    expect(dry.stdout).toContain(`would restore ${four} to 0\n`)
    expect(await values()).toEqual(['1', '1'])

    await node.host.sysctl.set(six, '2')
    const done = await node.run('clean', '--conf-dir', node.conf)
    expect(done, done.stderr).toMatchObject({ exitCode: 0 })
    expect(done.stdout).toContain(`restored ${four} to 0\n`)
    expect(done.stderr).toContain(`${six} stays 2: somebody else changed it after us, who made 1 of 0`)
    expect(await values()).toEqual(['0', '2'])
    expect(existsSync(node.state)).toBe(false)
  })

  it('detaches from a network whose list is gone', async () => {
    const node = await scratchNode()
    const before = await shown(node)
    await node.run('install', '--plugin', 'bridge', '--bin-dir', node.bin, '--conf-dir', node.conf)
    await node.container('c1')
    expect(await node.call('bridge', 'ADD', network, 'c1')).toMatchObject({ exitCode: 0 })
    await node.run('uninstall', '--bin-dir', node.bin, '--conf-dir', node.conf)
    const done = await node.run('clean', '--conf-dir', node.conf)
    expect(done, done.stderr).toMatchObject({ exitCode: 0 })
    expect(done.stdout).toContain('removed attachment pods c1 eth0\n')
    expect(await shown(node)).toEqual(before)
    expect(existsSync(node.state)).toBe(false)
  })

  it('is refused while an agent listens', async () => {
    const node = await scratchNode()
    await node.host.links.add({ kind: 'bridge', name: 'old0', alias: 'podfabric:bridge/old' })
    const agent = createServer((socket) => socket.end()).listen(node.socket)
    await new Promise((resolve) => agent.once('listening', resolve))
    const refused = await node.run('clean', '--conf-dir', node.conf)
    await new Promise((resolve) => agent.close(resolve))
    expect(refused.exitCode).toBe(2)
    expect(refused.stderr).toContain('end it first')
    expect((await node.host.links.list()).map((link) => link.name)).toContain('old0')
  })
})
