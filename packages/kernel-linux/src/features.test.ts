import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { KernelError, type Operation, tablesOver } from '@podfabric/kernel'
import { describe, expect, it } from 'vitest'
import { linuxAvailable, refusedPlatform } from './availability.ts'
import { featuresIn, linuxFeatureNames, tryFeatures } from './features.ts'

const availability = linuxAvailable()
const title = `features${availability.available ? '' : ` (skipped: ${availability.reason})`}`

describe('a feature that a kernel lacks', () => {
  it('is told with the reason and the way out, and hides no other', async () => {
    const lacks = (operation: Operation) => operation.op === 'link.add' && operation.link.kind === 'vxlan'
    const error = new KernelError('EOPNOTSUPP', 'ip link add', 'Unknown device type')
    const unasked = () => Promise.reject(new Error('nobody asked for this'))
    const tables = tablesOver({
      apply: async (operations) =>
        operations.map((operation) => (lacks(operation) ? { ok: false, error } : { ok: true })),
      link: unasked,
      links: unasked,
      addresses: unasked,
      routes: unasked,
      rules: unasked,
      neighbors: unasked,
      fdb: unasked,
      lookup: unasked,
      sysctl: unasked,
      nft: unasked,
    })
    const namespace = { ...tables, conntrack: { list: unasked, delete: unasked } }
    expect(await featuresIn(namespace, ['bridge', 'vxlan', 'nftables'])).toEqual([
      { feature: 'bridge', available: true },
      {
        feature: 'vxlan',
        available: false,
        reason: 'this kernel has no links of kind vxlan: ip link add: Unknown device type (EOPNOTSUPP)',
        wayOut: 'load the module (modprobe vxlan), or take a kernel that has it',
      },
      { feature: 'nftables', available: true },
    ])
  })
})

describe.skipIf(!availability.available)(title, () => {
  it('are tried in a namespace that is gone afterwards', async () => {
    const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('podfabric-features-')).length
    const before = left()
    const found = await tryFeatures()
    expect(found.map(({ feature }) => feature)).toEqual(linuxFeatureNames)
    const has = (name: string) => found.find(({ feature }) => feature === name)?.available
    expect(has('rtnetlink')).toBe(true)
    expect(has('bridge-nf')).toBe(existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables'))
    if (!existsSync('/dev/net/tun')) expect(has('tun')).toBe(false)
    expect(left()).toBe(before)
  })
})

describe('a machine that is none for it', () => {
  it('is refused by platform, processor, and C library', () => {
    expect(refusedPlatform('darwin', 'arm64')).toBe('this is darwin, not Linux')
    expect(refusedPlatform('linux', 'riscv64')).toBe(
      'processors of kind riscv64 are not supported; x64 and arm64 are',
    )
    expect(refusedPlatform('linux', 'x64')).toBeUndefined()
    expect(refusedPlatform('linux', 'arm64')).toBeUndefined()
  })
})
