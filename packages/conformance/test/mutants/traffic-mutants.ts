import { CniError, type PluginContext } from '@podfabric/cni'
import type { NftCommand, NftRule } from '@podfabric/kernel'
import { addressOf, prefix } from '@podfabric/netaddr'
import { poolOf, type ReferenceConfig } from '../fixtures/reference-config.ts'
import { referenceConfig, referencePlugin } from '../fixtures/reference-plugin.ts'
import { altered, inSandbox, type Mutant, onHost, onKernel, referenceSubject } from './mutant.ts'

/** Addresses. */
export const addressMutants: readonly Mutant[] = [
  altered(
    'reports its own address as gateway',
    ['ipam.distinct', 'ipam.concurrent', 'ipam.exhausted', 'ipam.reused', 'ipam.across-nodes'],
    (plugin) => ({
      async add(request) {
        const result = await plugin.add(request)
        return { ...result, ips: result.ips.map((each) => ({ ...each, gateway: addressOf(each.address) })) }
      },
    }),
  ),
  {
    name: 'gives an address without looking whether somebody was faster',
    fails: ['ipam.concurrent'],
    subject: {
      ...referenceSubject,
      kind: 'factory',
      factory: (context) => referencePlugin({ ...context, store: hasty(context) }),
    },
  },
  altered('refuses a DEL while another one runs', ['ipam.concurrent-del'], (plugin) => {
    let busy = false
    return {
      async del(request) {
        if (busy) throw new CniError('CNI_TRY_AGAIN_LATER', 'another DEL runs')
        busy = true
        try {
          await plugin.del(request)
        } finally {
          busy = false
        }
      },
    }
  }),
  altered('succeeds with an empty result when no address is left', ['ipam.exhausted'], (plugin) => ({
    async add(request) {
      try {
        return await plugin.add(request)
      } catch (error) {
        if (!(error instanceof CniError) || error.code !== 'CNI_ADDRESSES_EXHAUSTED') throw error
        return { interfaces: [], ips: [], routes: [] }
      }
    },
  })),
  altered('leaves a record behind when no address is left', ['ipam.exhausted'], (plugin, { store }) => ({
    async add(request) {
      try {
        return await plugin.add(request)
      } catch (error) {
        if (error instanceof CniError && error.code === 'CNI_ADDRESSES_EXHAUSTED') {
          await store.put(`failed/${request.containerId}`, '')
        }
        throw error
      }
    },
  })),
  {
    name: 'gives every node the same addresses',
    fails: [
      'ipam.across-nodes',
      'connectivity.across-nodes',
      'no-nat.across-nodes',
      'mtu.transfer-across-nodes',
    ],
    subject: { ...referenceSubject, kind: 'factory', factory: referencePlugin, config: sameSubnets() },
  },
]

/** Traffic. */
export const trafficMutants: readonly Mutant[] = [
  onKernel(
    'does not switch forwarding on',
    [
      'connectivity.same-node',
      'connectivity.across-nodes',
      'connectivity.after-a-neighbor-left',
      'no-nat.same-node',
      'no-nat.across-nodes',
      'mtu.exact',
      'mtu.exact-across-nodes',
      'mtu.transfer',
      'mtu.transfer-across-nodes',
    ],
    async (operation, next) => (operation.op === 'sysctl.set' ? { ok: true } : next()),
  ),
  altered(
    'has no routes to other nodes',
    [
      'connectivity.across-nodes',
      'no-nat.across-nodes',
      'mtu.exact-across-nodes',
      'mtu.transfer-across-nodes',
    ],
    (plugin) => ({
      controller: () => ({
        start: async () => undefined,
        stop: async () => undefined,
        status: () => ({ ready: true, message: 'it does nothing' }),
      }),
      add: plugin.add,
    }),
  ),
  altered(
    'has pods that do not answer their node',
    [
      'add.second-interface',
      'del.one-interface-only',
      'del.one-container-only',
      'gc.keeps-valid',
      'gc.keeps-when-not-told',
      'gc.keeps-other-networks',
      'gc.removes-stale-interface',
      'connectivity.node-to-pod',
    ],
    (plugin, context) => {
      const rule = (config: ReferenceConfig) => {
        const { gateway } = poolOf(config, context.node.name)
        return { family: 4, priority: 50, to: prefix(`${gateway}/32`), action: 'blackhole' } as const
      }
      return {
        async add(request) {
          const result = await plugin.add(request)
          await inSandbox(context, request.netns, (at) =>
            at.rules.add(rule(request.config)).catch(() => undefined),
          )
          return result
        },
        async del(request) {
          await inSandbox(context, request.netns, (at) =>
            at.rules.delete(rule(request.config)).catch(() => undefined),
          )
          await plugin.del(request)
        },
      }
    },
  ),
  altered(
    'switches localhost off',
    ['connectivity.localhost', 'faults.add-leaves-nothing'],
    (plugin, context) => ({
      async add(request) {
        const result = await plugin.add(request)
        await inSandbox(context, request.netns, (at) => at.links.set('lo', { up: false }))
        return result
      },
      async del(request) {
        await inSandbox(context, request.netns, (at) => at.links.set('lo', { up: true }))
        await plugin.del(request)
      },
    }),
  ),
  altered(
    'DEL switches forwarding off for all',
    [
      'del.one-container-only',
      'gc.removes-stale',
      'gc.sandbox-gone',
      'connectivity.after-a-neighbor-left',
      'faults.add-leaves-nothing',
      'faults.killed-then-gc',
    ],
    (plugin, context) => ({
      async del(request) {
        await plugin.del(request)
        await onHost(context, (host) => host.sysctl.set('net.ipv4.ip_forward', '0'))
      },
    }),
  ),
  altered(
    'masquerades what leaves the node and what stays on it',
    ['no-nat.same-node', 'no-nat.across-nodes'],
    (plugin, context) => ({
      async add(request) {
        const result = await plugin.add(request)
        await onHost(context, (host) => masquerade(host, undefined))
        return result
      },
    }),
  ),
  altered('masquerades what goes to another node', ['no-nat.across-nodes'], (plugin, context) => ({
    async add(request) {
      const result = await plugin.add(request)
      await onHost(context, (host) => masquerade(host, 'eth0'))
      return result
    },
  })),
  altered(
    'has an end on the host with a smaller MTU',
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
      'mtu.exact',
      'mtu.exact-across-nodes',
      'mtu.transfer',
      'mtu.transfer-across-nodes',
      'faults.add-leaves-nothing',
    ],
    (plugin, context) => ({
      async add(request) {
        const result = await plugin.add(request)
        const host = result.interfaces.find(({ name, sandbox }) => !sandbox && name.startsWith('ref'))
        if (host !== undefined) await onHost(context, (at) => at.links.set(host.name, { mtu: 1400 }))
        return {
          ...result,
          interfaces: result.interfaces.map((each) => (each === host ? { ...each, mtu: 1400 } : each)),
        }
      },
    }),
  ),
  altered('has a way to other nodes with a smaller MTU', ['mtu.exact-across-nodes'], (plugin, context) => ({
    controller(config) {
      const controller = plugin.controller?.(config)
      return {
        async start() {
          await controller?.start()
          await onHost(context, async (host) => {
            for (const [name, { subnet, underlay }] of config.nodes) {
              if (name !== context.node.name)
                await host.routes.replace({ destination: subnet, gateway: underlay, protocol: 80, mtu: 1300 })
            }
          })
        },
        stop: async () => controller?.stop(),
        status: () => ({ ready: true, message: 'it runs' }),
      }
    },
  })),
]

type Store = PluginContext['store']

/** A store whose writes of addresses know no condition. */
function hasty({ store, node }: PluginContext): Store {
  if (node.name === 'none') return store
  return {
    ...bound(store),
    put: (key, value, options) =>
      key.startsWith('addresses/') ? store.put(key, value) : store.put(key, value, options),
  }
}

function bound(store: Store): Store {
  return {
    get: (key) => store.get(key),
    list: (under, options) => store.list(under, options),
    put: (key, value, options) => store.put(key, value, options),
    delete: (key, options) => store.delete(key, options),
    txn: (transaction) => store.txn(transaction),
    lease: (seconds) => store.lease(seconds),
    watch: (under, options) => store.watch(under, options),
    close: () => store.close(),
  }
}

function sameSubnets() {
  const nodes = {
    'node-1': { subnet: '10.88.1.0/24', underlay: '192.168.50.1' },
    'node-2': { subnet: '10.88.1.0/24', underlay: '192.168.50.2' },
  }
  return { ...referenceConfig, plugins: [{ type: 'reference', nodes }] }
}

/** One table for the node, made once. */
async function masquerade(
  host: Parameters<Parameters<typeof onHost>[1]>[0],
  link: string | undefined,
): Promise<void> {
  const table = { kind: 'table', family: 'ip', name: 'reference' } as const
  const base = { type: 'nat', hook: 'postrouting', priority: 100 } as const
  const chain = { kind: 'chain', family: 'ip', table: 'reference', name: 'out', base } as const
  const match = link === undefined ? [] : [{ match: 'oifname', value: link } as const]
  const expressions = [...match, { masquerade: {} }]
  const rule: NftRule = { kind: 'rule', family: 'ip', table: 'reference', chain: 'out', expressions }
  const there = (await host.nft.list()).some(
    (object) => object.kind === 'table' && object.name === 'reference',
  )
  const commands: readonly NftCommand[] = [table, chain, rule].map((object) => ({ verb: 'add', object }))
  if (!there) await host.nft.apply(commands)
}
