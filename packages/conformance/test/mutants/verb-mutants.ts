import { attachmentsOf, type CheckRequest, CniError, type DelRequest, linkName } from '@podfabric/cni'
import { ifAddressFrom } from '@podfabric/netaddr'
import { referenceAddresses } from '../fixtures/reference-addresses.ts'
import type { ReferenceConfig } from '../fixtures/reference-config.ts'
import { altered, inSandbox, type Mutant, onHost } from './mutant.ts'

const attachments = attachmentsOf

/** CHECK. */
export const checkMutants: readonly Mutant[] = [
  altered(
    'CHECK fails the first time',
    [
      'check.after-add',
      'check.quiet',
      'check.changes-nothing',
      'check.tolerates-others',
      'check.interface-missing',
      'check.interface-down',
      'check.address-missing',
      'check.route-missing',
      'gc.keeps-valid',
      'gc.keeps-when-not-told',
      'gc.keeps-other-networks',
    ],
    (plugin) => {
      const checked = new Set<string>()
      return {
        async check(request) {
          if (!checked.has(request.containerId)) {
            checked.add(request.containerId)
            throw new CniError('CNI_CHECK_FAILED', 'it has not converged yet')
          }
          await plugin.check(request)
        },
      }
    },
  ),
  altered(
    'CHECK always succeeds',
    [
      'check.from-prev-result',
      'check.interface-missing',
      'check.interface-down',
      'check.address-missing',
      'check.route-missing',
      'check.after-del',
    ],
    () => ({ check: async () => undefined }),
  ),
  altered('CHECK does not read prevResult', ['check.from-prev-result'], (plugin, { store, node }) => ({
    async check(request) {
      const own = await referenceAddresses(store, node.name).of(request)
      const ips = own === undefined ? [] : [{ address: ifAddressFrom(own) }]
      await plugin.check({ ...request, prevResult: { ...request.prevResult, ips } })
    },
  })),
  altered("CHECK fails for another plugin's interface", ['check.tolerates-others'], (plugin, context) => ({
    async check(request) {
      await inSandbox(context, request.netns, async (at) => {
        if ((await at.links.list()).length > 2)
          throw new CniError('CNI_CHECK_FAILED', 'there is an interface too many')
      })
      await plugin.check(request)
    },
  })),
  altered('CHECK repairs an interface that is down', ['check.changes-nothing'], (plugin, context) => ({
    async check(request: CheckRequest<ReferenceConfig>) {
      await inSandbox(context, request.netns, (at) =>
        at.links.set(request.ifName, { up: true }).catch(() => undefined),
      )
      await plugin.check(request)
    },
  })),
  altered(
    'CHECK looks at the store only',
    ['check.interface-missing', 'check.interface-down', 'check.address-missing', 'check.route-missing'],
    (_plugin, { store, node }) => ({
      async check(request) {
        const own = await referenceAddresses(store, node.name).of(request)
        const told = request.prevResult.ips.some(({ address }) => address === (own && ifAddressFrom(own)))
        if (!told) throw new CniError('CNI_CHECK_FAILED', 'the address is another')
      },
    }),
  ),
]

/** DEL. */
export const delMutants: readonly Mutant[] = [
  altered(
    'DEL fails when there is nothing to delete',
    [
      'del.idempotent',
      'del.never-added',
      'faults.del-after-failed-add',
      'faults.del-repeated',
      'faults.killed-then-del',
    ],
    (plugin, context) => ({
      async del(request) {
        const known = await attachments({ ...context, type: 'reference' }).list()
        const { containerId, ifName } = request
        if (!known.some((each) => each.containerId === containerId && each.ifName === ifName)) {
          throw new CniError('CNI_INTERNAL', 'there is nothing to delete')
        }
        await plugin.del(request)
      },
    }),
  ),
  altered('DEL fails without CNI_NETNS', ['del.without-netns'], (plugin) => ({
    async del(request) {
      if (request.netns === undefined) throw new CniError('CNI_INVALID_ENVIRONMENT', 'CNI_NETNS is missing')
      await plugin.del(request)
    },
  })),
  altered(
    'DEL fails without prevResult',
    [
      'del.never-added',
      'del.without-prev-result',
      'faults.del-after-failed-add',
      'faults.killed-then-del',
      'faults.killed-then-add',
    ],
    (plugin) => ({
      async del(request) {
        if (request.prevResult === undefined)
          throw new CniError('CNI_INVALID_NETWORK_CONFIG', 'prevResult is missing')
        await plugin.del(request)
      },
    }),
  ),
  altered('DEL fails when the namespace is gone', ['del.sandbox-gone'], (plugin, { kernel }) => ({
    async del(request) {
      if (request.netns !== undefined) await (await kernel.netns.open(request.netns))[Symbol.asyncDispose]()
      await plugin.del(request)
    },
  })),
  altered(
    'DEL keeps the address when the namespace is gone',
    ['del.without-netns', 'del.sandbox-gone'],
    (plugin, context) => ({
      async del(request) {
        let there = false
        await inSandbox(context, request.netns, async () => {
          there = true
        })
        if (there) await plugin.del(request)
      },
    }),
  ),
  altered(
    'DEL fails when the interface is gone',
    [
      'del.idempotent',
      'del.never-added',
      'del.sandbox-gone',
      'del.interface-gone',
      'faults.del-after-failed-add',
      'faults.del-repeated',
      'faults.killed-then-del',
    ],
    (plugin, context) => ({
      async del(request) {
        const name = linkName('ref', request.source.name, request)
        await onHost(context, (host) => host.links.delete(name))
        await plugin.del(request)
      },
    }),
  ),
  altered(
    'DEL leaves the interface',
    [
      'version.listed-served',
      'version.as-asked',
      'version.shape',
      'version.no-newer-keys',
      'add.host-interfaces',
      'del.removes-interface',
      'del.no-residue',
      'del.without-netns',
      'del.without-prev-result',
      'del.sandbox-gone',
      'del.interface-gone',
      'del.one-container-only',
      'gc.removes-stale',
      'gc.sandbox-gone',
      'status.not-needed',
      'ipam.concurrent-del',
      'ipam.reused',
      'connectivity.after-a-neighbor-left',
      'faults.add-leaves-nothing',
      'faults.del-after-failed-add',
      'faults.del-repeated',
      'faults.killed-then-del',
      'faults.killed-then-add',
    ],
    (_plugin, context) => ({
      async del(request: DelRequest<ReferenceConfig>) {
        await referenceAddresses(context.store, context.node.name).release(request)
        await context.store.delete(
          `attachments/reference/${context.node.name}/${request.containerId}/${request.ifName}`,
        )
      },
    }),
  ),
  altered(
    'DEL keeps the address',
    [
      'del.no-residue',
      'del.without-netns',
      'del.without-prev-result',
      'del.sandbox-gone',
      'del.interface-gone',
      'del.one-container-only',
      'status.not-needed',
      'ipam.concurrent-del',
      'ipam.reused',
      'faults.del-repeated',
      'faults.killed-then-del',
    ],
    (plugin, { store, node }) => ({
      async del(request) {
        const addresses = referenceAddresses(store, node.name)
        const own = await addresses.of(request)
        await plugin.del(request)
        if (own !== undefined) await store.put(`addresses/${node.name}/${own}`, 'nobody')
      },
    }),
  ),
  altered('DEL removes every interface of the container', ['del.one-interface-only'], (plugin) => ({
    async del(request) {
      for (const ifName of new Set([request.ifName, 'eth0', 'net1'])) await plugin.del({ ...request, ifName })
    },
  })),
  altered(
    'DEL removes every container',
    ['del.one-interface-only', 'del.one-container-only', 'connectivity.after-a-neighbor-left'],
    (plugin) => ({
      async del(request) {
        await plugin.del(request)
        await plugin.gc?.({ ...request, validAttachments: [] })
      },
    }),
  ),
  altered(
    'DEL does nothing the second time, though the first one failed',
    ['faults.del-repeated'],
    (plugin) => {
      const done = new Set<string>()
      return {
        async add(request) {
          done.delete(`${request.containerId}/${request.ifName}`)
          return plugin.add(request)
        },
        async del(request) {
          const name = `${request.containerId}/${request.ifName}`
          if (done.has(name)) return
          done.add(name)
          await plugin.del(request)
        },
      }
    },
  ),
]

/** GC and STATUS. */
export const tendMutants: readonly Mutant[] = [
  altered(
    'GC fails',
    [
      'gc.quiet',
      'gc.removes-stale',
      'gc.removes-stale-interface',
      'gc.sandbox-gone',
      'faults.killed-then-gc',
      'gc.keeps-valid',
      'gc.keeps-other-networks',
    ],
    () => ({
      async gc() {
        throw new CniError('CNI_INTERNAL', 'GC is not made yet')
      },
    }),
  ),
  altered(
    'GC does nothing',
    ['gc.removes-stale', 'gc.removes-stale-interface', 'gc.sandbox-gone', 'faults.killed-then-gc'],
    () => ({ gc: async () => undefined }),
  ),
  altered('GC takes nothing for valid', ['gc.keeps-valid', 'gc.removes-stale-interface'], (plugin) => ({
    gc: async (request) => plugin.gc?.({ ...request, validAttachments: [] }),
  })),
  altered(
    'GC looks at containers and not at interfaces',
    ['gc.removes-stale-interface'],
    (plugin, context) => ({
      async gc(request) {
        const alive = new Set(request.validAttachments.map(({ containerId }) => containerId))
        const known = await attachments({ ...context, type: 'reference' }).list()
        await plugin.gc?.({
          ...request,
          validAttachments: known.filter(({ containerId }) => alive.has(containerId)),
        })
      },
    }),
  ),
  altered("GC removes other networks' interfaces", ['gc.keeps-other-networks'], (plugin, context) => ({
    async gc(request) {
      await plugin.gc?.(request)
      const own = new Set(request.validAttachments.map((each) => linkName('ref', request.source.name, each)))
      await onHost(context, async (host) => {
        const links = await host.links.list()
        const others = links.filter(({ name }) => name.startsWith('ref') && !own.has(name))
        for (const { name } of others) await host.links.delete(name)
      })
    },
  })),
  altered('STATUS is never ready', ['status.ready'], () => ({
    async status() {
      throw new CniError('CNI_NOT_AVAILABLE', 'it is not ready')
    },
  })),
  altered('STATUS is always ready', ['status.exhausted'], () => ({ status: async () => undefined })),
  altered('refuses everything once STATUS has failed', ['status.not-needed'], (plugin) => {
    let down = false
    const refuse = () => {
      if (down) throw new CniError('CNI_TRY_AGAIN_LATER', 'STATUS has failed')
    }
    return {
      async add(request) {
        refuse()
        return plugin.add(request)
      },
      async del(request) {
        refuse()
        await plugin.del(request)
      },
      async status(request) {
        try {
          await plugin.status?.(request)
        } catch (error) {
          down = true
          throw error
        }
      },
    }
  }),
]
