import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { KernelError, withMiddleware } from '@podfabric/kernel'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { ifAddress, ip, prefix } from '@podfabric/netaddr'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Finding } from '../src/node/doctor/check.ts'
import { checks } from '../src/node/doctor/checks.ts'
import { missingFeatures } from '../src/node/doctor/kernel-features.ts'
import { type ScratchNode, scratchNode } from './fixtures/scratch-node.ts'

const available = linuxAvailable()
const title = `podfabric doctor${available.available ? '' : ` (skipped: ${available.reason})`}`

const bridgeNf = existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')

const bridge = {
  type: 'bridge',
  bridge: 'pods0',
  isDefaultGateway: true,
  ipam: { type: 'host-local', subnet: '10.87.0.0/24' },
}
const listOf = (name: string, ...plugins: object[]) => ({ cniVersion: '1.0.0', name, plugins })
const flannel = listOf('flat', { type: 'flannel', network: '10.244.0.0/16' })

type Result = Finding & { readonly check: string; readonly fix?: string }

/** What the command found, by check. */
async function examine(node: ScratchNode) {
  const outcome = await node.run('doctor', '--bin-dir', node.bin, '--conf-dir', node.conf, '-o', 'json')
  expect(outcome.stderr).toBe('')
  const results: readonly Result[] = JSON.parse(outcome.stdout)
  const of = (check: string) => results.filter((each) => each.check === check)
  return { exitCode: outcome.exitCode, results, of }
}

/** As after an installation that went well. */
async function goodNode(): Promise<ScratchNode> {
  const node = await scratchNode()
  for (const type of ['bridge', 'host-local', 'flannel']) executable(join(node.bin, type))
  node.writeList('10-pods.conflist', listOf('pods', bridge))
  await node.host.links.add({ kind: 'veth', name: 'up0', up: true, peer: { name: 'up1' } })
  await node.host.links.set('up1', { up: true })
  await node.host.addresses.add({ link: 'up0', address: ifAddress('192.0.2.1/24') })
  await node.host.routes.add({ destination: prefix('0.0.0.0/0'), gateway: ip('192.0.2.2') })
  await node.host.sysctl.set('net.ipv4.ip_forward', '1')
  await listening(node.socket)
  return node
}

function executable(path: string): void {
  writeFileSync(path, '#!/bin/sh\n')
  chmodSync(path, 0o755)
}

async function listening(socket: string): Promise<void> {
  const agent = createServer((connection) => connection.end()).listen(socket)
  await new Promise((resolve) => agent.once('listening', resolve))
  chmodSync(socket, 0o600)
  onTestFinished(async () => {
    await new Promise((resolve) => agent.close(resolve))
  })
}

const forwardDrops = [
  { verb: 'add', object: { kind: 'table', family: 'ip', name: 'filter' } },
  {
    verb: 'add',
    object: {
      kind: 'chain',
      family: 'ip',
      table: 'filter',
      name: 'FORWARD',
      base: { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' },
    },
  },
] as const

describe.skipIf(!available.available)(title, { timeout: 60_000 }, () => {
  it('finds a node in order by every check, and exits with 0', async () => {
    const node = await goodNode()
    const { results, exitCode } = await examine(node)
    expect([...new Set(results.map(({ check }) => check))]).toEqual(checks.map(({ id }) => id))
    // The machine's own runtimes look elsewhere than in this node's folders.
    expect(results.filter(({ status, check }) => status !== 'ok' && check !== 'runtime-folders')).toEqual([])
    expect(exitCode).toBe(0)
    const printed = await node.run('doctor', '--bin-dir', node.bin, '--conf-dir', node.conf)
    expect(printed.stdout).toMatch(/^CHECK +STATUS +FINDING\nkernel-access +ok/)
  })

  it('names what is wrong with the lists and the plugins', async () => {
    const node = await goodNode()
    node.writeList('05-first.conflist', listOf('pods', { type: 'elsewhere' }))
    node.writeList('20-broken.conflist', '{\n  "name": 7\n}')
    node.writeList('30-key.conflist', listOf('more', { ...bridge, vlan: 7 }))
    chmodSync(join(node.bin, 'bridge'), 0o644)
    chmodSync(join(node.conf, '10-pods.conflist'), 0o044)
    chmodSync(node.socket, 0o666)
    const { of, exitCode } = await examine(node)
    expect(exitCode).toBe(1)
    expect(of('list-order')).toMatchObject([
      { status: 'error', finding: expect.stringContaining('05-first') },
    ])
    expect(of('network-names')).toMatchObject([
      { status: 'error', finding: expect.stringContaining('name their network pods') },
    ])
    expect(of('plugin-files')).toMatchObject([
      { status: 'error', finding: expect.stringContaining('the plugin elsewhere') },
    ])
    expect(of('list-content')).toMatchObject([
      { status: 'error', finding: expect.stringContaining('20-broken.conflist: line 2, column 11') },
      { status: 'error', finding: expect.stringContaining('vlan') },
    ])
    expect(of('permissions')).toMatchObject([
      { status: 'error', fix: expect.stringContaining('chmod 0644') },
      { status: 'error', fix: expect.stringContaining('chmod 0755') },
      { status: 'error', fix: expect.stringContaining('chmod 0600') },
    ])
  })

  it('says that there is no list, no agent, no lease, and that the state is damaged', async () => {
    const node = await scratchNode()
    expect((await examine(node)).of('list-content')).toMatchObject([
      { status: 'error', finding: expect.stringContaining('no network list') },
    ])
    node.writeList('10-pods.conflist', listOf('pods', bridge))
    expect((await examine(node)).of('agent-running')).toMatchObject([{ status: 'warning' }])
    node.writeList('10-pods.conflist', flannel)
    mkdirSync(node.state, { mode: 0o755 })
    writeFileSync(join(node.state, 'agent.db'), 'x'.repeat(8192), { mode: 0o600 })
    const { of, exitCode } = await examine(node)
    expect(exitCode).toBe(1)
    expect(of('agent-running')).toMatchObject([{ status: 'error' }])
    expect(of('subnet-lease')).toMatchObject([
      { status: 'error', fix: expect.stringContaining('podfabric agent') },
    ])
    expect(of('state-file')).toMatchObject([
      { status: 'error', finding: expect.stringContaining('agent.db') },
    ])
    expect(of('permissions')).toMatchObject([
      { status: 'warning', fix: expect.stringContaining('chmod 0700') },
    ])
    expect(of('leftovers')).toMatchObject([{ status: 'unknown' }])
    node.writeList('10-pods.conflist', listOf('flat', { type: 'flannel', subnetFile: '/nowhere/subnet.env' }))
    expect((await examine(node)).of('subnet-lease')).toMatchObject([
      { finding: expect.stringContaining('/nowhere/subnet.env') },
    ])
  })

  it('names what is wrong with the links, the settings and the firewall', async () => {
    const node = await goodNode()
    const { host } = node
    await host.sysctl.set('net.ipv4.ip_forward', '0')
    await host.links.set('up0', { mtu: 1400 })
    await host.links.add({ kind: 'bridge', name: 'pods0', up: true })
    await host.addresses.add({ link: 'pods0', address: ifAddress('10.1.0.1/16') })
    await host.nft.apply(forwardDrops)
    if (bridgeNf) await host.sysctl.set('net.bridge.bridge-nf-call-iptables', '0')
    const { of, exitCode } = await examine(node)
    expect(exitCode).toBe(1)
    expect(of('forwarding')).toMatchObject([
      { status: 'warning', fix: expect.stringContaining('ip_forward=1') },
    ])
    expect(of('bridge-address')).toMatchObject([
      { status: 'error', finding: expect.stringContaining('10.1.0.1/16') },
    ])
    expect(of('mtu')).toMatchObject([{ status: 'warning', finding: expect.stringContaining('carries 1400') }])
    expect(of('forward-policy')).toMatchObject([{ status: 'warning' }])

    await host.addresses.add({ link: 'pods0', address: ifAddress('10.87.0.1/24') })
    await host.nft.apply([
      {
        verb: 'add',
        object: {
          kind: 'rule',
          family: 'ip',
          table: 'filter',
          chain: 'FORWARD',
          expressions: [{ match: 'iifname', value: 'pods0' }, { verdict: 'accept' }],
        },
      },
    ])
    node.writeList('10-pods.conflist', listOf('pods', { ...bridge, mtu: 1450 }))
    const later = await examine(node)
    expect(later.of('bridge-address')).toMatchObject([{ status: 'warning' }])
    expect(later.of('forward-policy')).toMatchObject([{ status: 'ok' }])
    expect(later.of('mtu')).toMatchObject([{ status: 'error', fix: expect.stringContaining('"mtu": 1400') }])
  })

  it.skipIf(!bridgeNf)(
    `names a firewall that drops what stays on one bridge${bridgeNf ? '' : ' (skipped: br_netfilter is not loaded)'}`,
    async () => {
      const node = await goodNode()
      await node.host.nft.apply(forwardDrops)
      await node.host.sysctl.set('net.bridge.bridge-nf-call-iptables', '1')
      expect((await examine(node)).of('forward-policy')).toMatchObject([
        { status: 'error', finding: expect.stringContaining('do not reach each other') },
      ])
    },
  )

  it('names a tunnel that is larger than its way, and claims nothing about a network card', async () => {
    const node = await goodNode()
    node.writeList('10-pods.conflist', flannel)
    await node.host.links.add({
      kind: 'vxlan',
      name: 'flannel.1',
      vni: 1,
      mtu: 1500,
      alias: 'podfabric:flannel.1',
    })
    const { of } = await examine(node)
    expect(of('mtu')).toMatchObject([
      { status: 'error', finding: expect.stringContaining('leaves room for 1450') },
    ])
    expect(of('checksum-offload')).toMatchObject([
      { status: 'unknown', finding: expect.stringContaining('flannel.1') },
    ])
    expect(of('leftovers')).toMatchObject([{ status: 'ok' }])
  })

  it('tells what an attachment owns from what is left, and sees a container that is gone', async () => {
    const node = await scratchNode()
    await node.run('install', '--plugin', 'bridge', '--bin-dir', node.bin, '--conf-dir', node.conf)
    const network = { ...listOf('pods'), ...bridge, ipMasq: true }
    node.writeList('10-podfabric.conflist', listOf('pods', { ...bridge, ipMasq: true }))
    await node.container('c1')
    expect(await node.call('bridge', 'ADD', network, 'c1')).toMatchObject({ exitCode: 0 })
    expect((await examine(node)).of('leftovers')).toMatchObject([{ status: 'ok' }])

    await node.kernel.netns.delete('c1')
    await node.host.links.add({
      kind: 'veth',
      name: 'old',
      alias: 'podfabric:bridge/pods/c9/eth0',
      peer: { name: 'p' },
    })
    await node.host.links.add({ kind: 'bridge', name: 'old0', alias: 'podfabric:bridge/old' })
    const findings = (await examine(node)).of('leftovers').map(({ finding }) => finding)
    expect(findings).toHaveLength(3)
    expect(findings.join('\n')).toMatch(
      /link old \([\s\S]*bridge old0 \([\s\S]*container c1: its namespace is gone/,
    )
  })

  it('names the kinds of links that a kernel refuses', async () => {
    const node = await scratchNode()
    const kernel = withMiddleware(node.kernel, async (operation, next) => {
      if (operation.op !== 'link.add' || operation.link.kind !== 'bridge') return next()
      return { ok: false, error: new KernelError('EOPNOTSUPP', 'ip link add', 'unknown device type') }
    })
    await node.container('empty')
    const netns = await kernel.netns.open(await pathOf(node, 'empty'))
    const namespace = kernel.in(netns)
    onTestFinished(async () => {
      await namespace[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
    })
    expect(await missingFeatures(namespace, [])).toMatchObject([
      {
        status: 'error',
        finding: expect.stringContaining('links of kind bridge'),
        fix: expect.stringContaining('modprobe bridge'),
      },
    ])
  })
})

async function pathOf({ kernel }: ScratchNode, name: string): Promise<string> {
  const entry = (await kernel.netns.list()).find((each) => each.name === name)
  if (entry === undefined) throw new Error(`there is no namespace ${name}`)
  return entry.path
}
