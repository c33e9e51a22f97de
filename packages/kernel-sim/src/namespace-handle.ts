import { KernelError, type Namespace, type Sockets, tablesOver } from '@podfabric/kernel'
import { captureOn } from './capture.ts'
import { listFdb } from './fdb-operations.ts'
import { heldTcp } from './held-tcp.ts'
import { linkNamed, type Resolve } from './link-operations.ts'
import { listNeighbors } from './neighbor-operations.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { applyOperation } from './operations.ts'
import { listRoutes, lookupRoute } from './route-operations.ts'
import { listRules } from './rule-operations.ts'
import { openUdp } from './udp-socket.ts'

/** A handle on a namespace: the contract's tables and sockets over what the simulation has. */
export function namespaceHandle(netns: NetworkNamespace, resolve: Resolve): Namespace {
  let open = true
  netns.hold()
  const use = <T>(read: () => T): T => {
    if (!open) throw new KernelError('EBADF', `netns ${netns.name}`, 'the handle was disposed')
    return read()
  }
  const tables = tablesOver({
    apply: async (operations) =>
      use(() =>
        operations.map((operation) => {
          const outcome = applyOperation(netns, operation, resolve)
          netns.simulation.run()
          return outcome
        }),
      ),
    link: async (name) => use(() => linkNamed(netns, name, `ip link show dev ${name}`).row()),
    links: async () => use(() => netns.links().map((device) => device.row())),
    addresses: async () =>
      use(() => {
        const links = netns.links()
        return [
          ...links.flatMap(({ name, addresses4 }) => addresses4.map((address) => address.row(name))),
          ...links.flatMap(({ name, addresses6 }) => addresses6.map((address) => address.row(name))),
        ]
      }),
    routes: async () => use(() => listRoutes(netns)),
    rules: async () => use(() => listRules(netns)),
    neighbors: async () => use(() => listNeighbors(netns)),
    fdb: async () => use(() => listFdb(netns)),
    lookup: async (query) => use(() => lookupRoute(netns, query)),
    sysctl: async (name) => use(() => netns.sysctls.get(name)),
    nft: async () => use(() => netns.netfilter.list()),
  })
  const tcp = heldTcp(netns)
  const sockets: Sockets = {
    udp: async (local) => use(() => openUdp(netns, local)),
    listen: async (local) => use(() => tcp.listen(local)),
    connect: async (remote, options) => use(() => tcp.connect(remote, options)),
    echo: async (request) => use(() => netns.echoes.send(netns, request)),
  }
  return {
    ...tables,
    conntrack: {
      list: async (filter) => use(() => netns.netfilter.connections(filter)),
      delete: async (filter) => use(() => netns.netfilter.forget(filter)),
    },
    sockets,
    capture: async (link) => use(() => captureOn(linkNamed(netns, link, `capture ${link}`))),
    changes: ({ signal } = {}) => use(() => netns.changes(signal)),
    async [Symbol.asyncDispose]() {
      if (!open) return
      open = false
      netns.release()
      netns.simulation.run()
    },
  }
}
