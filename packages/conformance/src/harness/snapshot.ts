import type { Kernel, Namespace } from '@podfabric/kernel'
import type { Store } from '@podfabric/store'

/** What a node or a sandbox holds, one line for each thing; what comes and goes by itself is left out. */
export type Snapshot = ReadonlySet<string>

/** Sysctls that plugins are known to change. */
const sysctls = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'] as const

/** Everything of one namespace: links, addresses, routes, rules, permanent neighbors and fdb entries, nftables, sysctls. */
export async function snapshotOf(namespace: Namespace): Promise<Snapshot> {
  const [links, addresses, routes, rules, neighbors, fdb, nft] = await Promise.all([
    namespace.links.list(),
    namespace.addresses.list(),
    namespace.routes.list(),
    namespace.rules.list(),
    namespace.neighbors.list(),
    namespace.fdb.list(),
    namespace.nft.list(),
  ])
  const settings = await Promise.all(
    sysctls.map(async (name) => `${name} = ${await namespace.sysctl.get(name)}`),
  )
  return new Set([
    // Whether it runs follows from other ends, and a bridge's MAC from its ports.
    ...links.map(({ running: _running, ...link }) =>
      line('link', link.kind === 'bridge' ? without(link, 'mac') : link),
    ),
    ...addresses
      .filter(({ address }) => !isKernelMade(address))
      .map(({ tentative: _tentative, ...address }) => line('address', address)),
    ...routes.filter(({ destination }) => !isKernelMade(destination)).map((route) => line('route', route)),
    ...rules.map((rule) => line('rule', rule)),
    ...neighbors.filter(({ state }) => state === 'permanent').map((neighbor) => line('neighbor', neighbor)),
    // A bridge's entries for its own MACs come and go with its ports.
    ...fdb
      .filter(({ state, destination }) => destination !== undefined || state === 'static')
      .map((entry) => line('fdb', entry)),
    ...nft.map((object) => line('nft', object)),
    ...settings.map((setting) => `sysctl ${setting}`),
  ])
}

/** A node's own namespace, the names of namespaces on it, and the keys of the plugins' store. */
export async function snapshotOfNode(kernel: Kernel, host: Namespace, store: Store): Promise<Snapshot> {
  const [own, names, { entries }] = await Promise.all([snapshotOf(host), kernel.netns.list(), store.list('')])
  return new Set([
    ...own,
    ...names.map(({ name }) => `netns ${name}`),
    ...entries.map(({ key }) => `store ${key}`),
  ])
}

/** What is different: `+` lines are in `after` only, `-` lines in `before` only. Empty when they are the same. */
export function difference(before: Snapshot, after: Snapshot): readonly string[] {
  return [
    ...[...before].filter((each) => !after.has(each)).map((each) => `- ${each}`),
    ...[...after].filter((each) => !before.has(each)).map((each) => `+ ${each}`),
  ]
}

/** Those that the kernel makes by itself when a link goes up: from its MAC, for multicast, and on `lo`, where they stay. */
function isKernelMade(text: string): boolean {
  return /^(fe80:|ff0|127\.|::1\/)/.test(text)
}

function line(kind: string, row: object): string {
  const sorted = Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))
  return `${kind} ${JSON.stringify(Object.fromEntries(sorted))}`
}

function without<Row extends object, Key extends keyof Row>(row: Row, key: Key): Omit<Row, Key> {
  const { [key]: _left, ...rest } = row
  return rest
}
