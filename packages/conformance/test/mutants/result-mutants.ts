import { type AddRequest, CniError } from '@podfabric/cni'
import { ifAddress, mac, prefix } from '@podfabric/netaddr'
import type { ReferenceConfig } from '../fixtures/reference-config.ts'
import { altered, inSandbox, type Mutant } from './mutant.ts'

/** ADD does something else than it says, or says something else than it does. */
export const resultMutants: readonly Mutant[] = [
  altered(
    'ignores CNI_IFNAME: it always makes eth0',
    [
      'add.interface',
      'add.second-interface',
      'del.one-interface-only',
      'gc.keeps-valid',
      'gc.removes-stale-interface',
    ],
    (plugin) => ({
      add: (request) => plugin.add({ ...request, ifName: 'eth0' }),
      check: (request) => plugin.check({ ...request, ifName: 'eth0' }),
      del: (request) => plugin.del({ ...request, ifName: 'eth0' }),
    }),
  ),
  altered(
    'leaves the interface down',
    [
      'add.up',
      'add.routes',
      'check.after-add',
      'check.quiet',
      'check.changes-nothing',
      'check.tolerates-others',
      'check.interface-missing',
      'check.interface-down',
      'check.address-missing',
      'del.one-container-only',
      'gc.keeps-valid',
      'gc.keeps-when-not-told',
      'gc.keeps-other-networks',
      'connectivity.same-node',
      'connectivity.across-nodes',
      'connectivity.node-to-pod',
      'connectivity.after-a-neighbor-left',
      'no-nat.same-node',
      'no-nat.across-nodes',
      'mtu.exact',
      'mtu.exact-across-nodes',
      'mtu.larger',
      'mtu.transfer',
      'mtu.transfer-across-nodes',
      'faults.add-leaves-nothing',
    ],
    (plugin, context) => ({
      async add(request) {
        const result = await plugin.add(request)
        await inSandbox(context, request.netns, (at) => at.links.set(request.ifName, { up: false }))
        return result
      },
    }),
  ),
  altered('reports another sandbox than CNI_NETNS', ['add.sandbox'], (plugin) => ({
    async add(request) {
      const result = await plugin.add(request)
      const interfaces = result.interfaces.map((each) =>
        each.sandbox ? { ...each, sandbox: '/proc/1/ns/net' } : each,
      )
      return { ...result, interfaces }
    },
  })),
  altered('reports a mac that the interface does not have', ['add.reports-mac'], (plugin) => ({
    async add(request) {
      const result = await plugin.add(request)
      const interfaces = result.interfaces.map((each) =>
        each.sandbox && each.name === request.ifName ? { ...each, mac: mac('02:00:00:00:00:01') } : each,
      )
      return { ...result, interfaces }
    },
  })),
  altered(
    'reports an mtu that is smaller than the real one',
    ['add.reports-mtu', 'mtu.larger'],
    (plugin) => ({
      async add(request) {
        const result = await plugin.add(request)
        const interfaces = result.interfaces.map((each) =>
          each.sandbox && each.name === request.ifName ? { ...each, mtu: 1400 } : each,
        )
        return { ...result, interfaces }
      },
    }),
  ),
  altered(
    'gives a second address and does not report it',
    ['add.reports-addresses', 'faults.add-leaves-nothing'],
    (plugin, context) => ({
      async add(request) {
        const result = await plugin.add(request)
        await inSandbox(context, request.netns, (at) =>
          at.addresses.add({ link: request.ifName, address: ifAddress('203.0.113.7/32') }),
        )
        return result
      },
    }),
  ),
  altered(
    'reports no addresses',
    [
      'add.prev-result-kept',
      'add.reports-addresses',
      'check.address-missing',
      'check.after-add',
      'check.changes-nothing',
      'check.interface-down',
      'check.interface-missing',
      'check.quiet',
      'check.route-missing',
      'check.tolerates-others',
      'connectivity.across-nodes',
      'connectivity.after-a-neighbor-left',
      'connectivity.node-to-pod',
      'connectivity.same-node',
      'del.one-container-only',
      'gc.keeps-other-networks',
      'gc.keeps-valid',
      'gc.keeps-when-not-told',
      'ipam.across-nodes',
      'ipam.concurrent',
      'ipam.distinct',
      'ipam.exhausted',
      'ipam.reused',
      'mtu.exact',
      'mtu.exact-across-nodes',
      'mtu.larger',
      'mtu.transfer',
      'mtu.transfer-across-nodes',
      'no-nat.across-nodes',
      'no-nat.same-node',
      'version.shape',
    ],
    (plugin) => ({
      add: async (request) => ({ ...(await plugin.add(request)), ips: [] }),
    }),
  ),
  altered('does not report the interface on the host', ['add.host-interfaces'], (plugin) => ({
    async add(request) {
      const result = await plugin.add(request)
      const own = result.interfaces.findIndex(({ name, sandbox }) => !sandbox && name.startsWith('ref'))
      const ips = result.ips.map((each) =>
        each.interface !== undefined && each.interface > own
          ? { ...each, interface: each.interface - 1 }
          : each,
      )
      return { ...result, ips, interfaces: result.interfaces.filter((_each, index) => index !== own) }
    },
  })),
  altered('reports a route that it does not make', ['add.routes'], (plugin) => ({
    async add(request) {
      const result = await plugin.add(request)
      return { ...result, routes: [...result.routes, { destination: prefix('203.0.113.0/24') }] }
    },
  })),
  altered(
    'puts its interface in the place of one that exists',
    ['add.existing-refused'],
    (plugin, context) => ({
      async add(request) {
        await inSandbox(context, request.netns, (at) =>
          at.links.delete(request.ifName).catch(() => undefined),
        )
        return plugin.add(request)
      },
    }),
  ),
  altered(
    'attaches a container only once',
    ['add.second-interface', 'del.one-interface-only', 'gc.keeps-valid', 'gc.removes-stale-interface'],
    (plugin, context) => ({
      async add(request) {
        const { entries } = await context.store.list('attachments/')
        if (entries.some(({ key }) => key.includes(request.containerId))) {
          throw new CniError('CNI_INTERFACE_EXISTS', 'the container is attached already')
        }
        return plugin.add(request)
      },
    }),
  ),
  altered('drops prevResult', ['add.prev-result-kept'], (plugin) => ({
    add: ({ prevResult: _dropped, ...request }) => plugin.add(request as AddRequest<ReferenceConfig>),
  })),
  altered(
    'notes each ADD before it looks at anything, and forgets to take the note back',
    [
      'add.existing-refused',
      'add.no-netns',
      'ipam.exhausted',
      'faults.add-leaves-nothing',
      'faults.del-after-failed-add',
      'faults.killed-then-del',
      'faults.killed-then-gc',
    ],
    (plugin, context) => ({
      async add(request) {
        await context.store.put(`notes/${request.containerId}`, '')
        const result = await plugin.add(request)
        await context.store.delete(`notes/${request.containerId}`)
        return result
      },
    }),
  ),
  altered('reports success when the kernel refuses', ['faults.add-fails'], (plugin) => ({
    async add(request) {
      try {
        return await plugin.add(request)
      } catch (error) {
        if (error instanceof CniError && error.code !== 'CNI_KERNEL' && error.code !== 'CNI_TRY_AGAIN_LATER')
          throw error
        return { interfaces: [], ips: [], routes: [] }
      }
    },
  })),
  altered('reports error 3 when the kernel refuses', ['faults.add-fails'], (plugin) => ({
    async add(request) {
      try {
        return await plugin.add(request)
      } catch (cause) {
        if (cause instanceof CniError && cause.code !== 'CNI_KERNEL' && cause.code !== 'CNI_TRY_AGAIN_LATER')
          throw cause
        throw new CniError('CNI_UNKNOWN_CONTAINER', 'the kernel refused', { cause })
      }
    },
  })),
]
