import { closeSync, mkdtempSync, openSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KernelError, type Namespace } from '@podfabric/kernel'
import { linux } from './linux.ts'

/** What of Linux a network may need and a kernel may lack. */
export type LinuxFeature = (typeof linuxFeatureNames)[number]

export const linuxFeatureNames = [
  'rtnetlink',
  'veth',
  'bridge',
  'bridge-nf',
  'vxlan',
  'nftables',
  'conntrack',
  'tun',
] as const

export type FeatureAvailability =
  | { readonly feature: LinuxFeature; readonly available: true }
  | {
      readonly feature: LinuxFeature
      readonly available: false
      /** What was tried, and what the kernel said. */
      readonly reason: string
      /** What a person may do about it: a module to load, a right to give. */
      readonly wayOut: string
    }

/** Of a namespace, what features are tried on. */
export type Tried = Pick<Namespace, 'links' | 'sysctl' | 'nft' | 'conntrack'>

interface Trial {
  readonly what: string
  readonly wayOut: string
  try(namespace: Tried): Promise<unknown>
}

const trials: Readonly<Record<LinuxFeature, Trial>> = {
  rtnetlink: {
    what: 'netlink for links, addresses and routes',
    wayOut: 'run as root, or within `unshare -Urnm`',
    try: (namespace) => namespace.links.list(),
  },
  veth: {
    what: 'links of kind veth',
    wayOut: withModule('veth'),
    try: ({ links }) => links.add({ kind: 'veth', name: 'try-veth', peer: { name: 'try-peer' } }),
  },
  bridge: {
    what: 'links of kind bridge',
    wayOut: withModule('bridge'),
    try: ({ links }) => links.add({ kind: 'bridge', name: 'try-bridge' }),
  },
  'bridge-nf': {
    what: 'firewall rules for what crosses a bridge',
    wayOut: withModule('br_netfilter'),
    try: ({ sysctl }) => sysctl.get('net.bridge.bridge-nf-call-iptables'),
  },
  vxlan: {
    what: 'links of kind vxlan',
    wayOut: withModule('vxlan'),
    try: ({ links }) => links.add({ kind: 'vxlan', name: 'try-vxlan', vni: 1 }),
  },
  nftables: {
    what: 'nftables',
    wayOut: withModule('nf_tables'),
    try: ({ nft }) => nft.apply([{ verb: 'add', object: { kind: 'table', family: 'ip', name: 'try' } }]),
  },
  conntrack: {
    what: 'connection tracking',
    wayOut: withModule('nf_conntrack_netlink'),
    try: ({ conntrack }) => conntrack.list(),
  },
  tun: {
    what: 'TUN devices',
    wayOut: 'load the module (modprobe tun), see that /dev/net/tun is there, and that this user may open it',
    // Whether a device can be made is only seen by making one.
    try: async () => closeSync(openSync('/dev/net/tun', 'r+')),
  },
}

function withModule(name: string): string {
  return `load the module (modprobe ${name}), or take a kernel that has it`
}

/**
 * Tries features in a namespace that is empty and may be thrown away: a kernel says only then what it has, and loads its modules.
 * Leaves links and a table there. Rejects where the namespace itself fails.
 */
export async function featuresIn(
  namespace: Tried,
  features: readonly LinuxFeature[] = linuxFeatureNames,
): Promise<readonly FeatureAvailability[]> {
  const found: FeatureAvailability[] = []
  for (const feature of features) {
    const trial = trials[feature]
    try {
      await trial.try(namespace)
      found.push({ feature, available: true })
    } catch (error) {
      if (!(error instanceof KernelError) && !isSystemError(error)) throw error
      const { what, wayOut } = trial
      found.push({
        feature,
        available: false,
        reason: `this kernel has no ${what}: ${error.message}`,
        wayOut,
      })
    }
  }
  return found
}

/** As `featuresIn`, in a namespace of its own that is gone again afterwards. EOPNOTSUPP where `linuxAvailable` says no. */
export async function tryFeatures(
  features: readonly LinuxFeature[] = linuxFeatureNames,
): Promise<readonly FeatureAvailability[]> {
  const directory = mkdtempSync(join(tmpdir(), 'podfabric-features-'))
  try {
    const kernel = linux({ directory })
    try {
      const netns = await kernel.netns.create('scratch')
      const namespace = kernel.in(netns)
      try {
        return await featuresIn(namespace, features)
      } finally {
        await namespace[Symbol.asyncDispose]()
        await netns[Symbol.asyncDispose]()
        await kernel.netns.delete('scratch')
      }
    } finally {
      await kernel[Symbol.asyncDispose]()
    }
  } finally {
    rmdirSync(directory)
  }
}

function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error
}
