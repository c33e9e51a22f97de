import type { Controller, ControllerStatus, PluginContext } from '@podfabric/cni'
import { type HeldSubnetLease, subnetLeases } from '@podfabric/ipam'
import { type Change, type Namespace, sleep } from '@podfabric/kernel'
import { covers, prefixFamily } from '@podfabric/netaddr'
import type { Backend } from './backend.ts'
import type { NetworkConfig } from './config.ts'
import { hostGwBackend } from './host-gw-backend.ts'
import { nodeRecords } from './node-record.ts'
import { formatPeerData, parsePeerData } from './peer-data.ts'
import { peersOf } from './peers.ts'
import { reconcile } from './tables.ts'
import { findUnderlay } from './underlay.ts'
import { vxlanBackend } from './vxlan-backend.ts'

/** Milliseconds until what failed is tried again. */
const retryDelay = 10_000

const forwarding = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' } as const

/**
 * Keeps one node in the network: leases a subnet, tells the peers how to reach it, and keeps one route (and for VXLAN one neighbor
 * and one fdb entry) for each peer.
 */
export function flannelController(config: NetworkConfig, context: PluginContext): Controller {
  const { kernel, store, clock, log, node } = context
  const leases = subnetLeases(store, { network: config.network, subnetLength: config.subnetLength, clock })
  let run: Run | undefined
  let status: ControllerStatus = { ready: false, message: 'not started' }

  /** What lives from a start to its stop. */
  function begin(host: Namespace): Run {
    const stopping = new AbortController()
    const { signal } = stopping
    const peers = peersOf(config.network, log)
    const tasks = new Set<Promise<void>>()
    let lease: HeldSubnetLease | undefined
    let backend: Backend | undefined
    let repairing: Promise<void> | undefined
    let repairAgain = false
    let retry: Disposable | undefined

    /** Work that `stop` waits for. */
    function task(work: Promise<void>): void {
      tasks.add(work)
      void work.finally(() => tasks.delete(work))
    }

    async function join(): Promise<void> {
      const family = config.backend.type === 'host-gw' ? prefixFamily(config.network) : undefined
      const underlay = await findUnderlay(host, { name: config.interface, family, pods: config.network })
      const at = { namespace: host, underlay, network: config.network, random: context.random }
      const mine = (await leases.list()).items.find(({ value }) => value.node === node.name)
      const previous = mine && parsePeerData(mine.value.data)
      const made =
        config.backend.type === 'host-gw'
          ? hostGwBackend(at)
          : await vxlanBackend(config.backend, { ...at, previous })
      const before = await nodeRecords(store).get(node.name)
      const held = await leases.acquire({
        node: node.name,
        publicIp: underlay.address,
        data: formatPeerData(made.peerData),
        ...(before && { preferred: before.value.subnet }),
      })
      lease?.close()
      lease = held
      backend = made
      held.lost.addEventListener('abort', () => onLost(held), { once: true })
      await forward(host, prefixFamily(held.subnet))
      await made.ensure(held.subnet)
      await nodeRecords(store).put(node.name, { subnet: held.subnet, mtu: made.podMtu })
      if (held.lost.aborted) onLost(held)
    }

    /** The data path stays as it is; the subnet is reserved for this node, which asks for it again. */
    function onLost(held: HeldSubnetLease): void {
      if (signal.aborted || lease !== held) return
      lease = undefined
      const { reason } = held.lost
      status = {
        ready: false,
        message: `the lease of ${held.subnet} was lost: ${textOf(reason)}; asking for it again`,
      }
      log.error('flannel: the subnet lease was lost', { subnet: held.subnet, error: reason })
      task(joinAgain())
    }

    async function joinAgain(): Promise<void> {
      while (!signal.aborted) {
        try {
          await join()
          return repairSoon()
        } catch (error) {
          log.error('flannel: the node has no lease; trying again later', { error })
          status = { ready: false, message: `no lease: ${textOf(error)}; trying again` }
          await sleep(clock, retryDelay, { signal, background: true }).catch(() => undefined)
        }
      }
    }

    async function repair(): Promise<void> {
      if (!backend || !lease) return
      const { subnet } = lease
      try {
        await backend.ensure(subnet)
        const others = peers.others({ node: node.name, subnet })
        const wanted = await backend.tables(others)
        const errors = await reconcile(host, backend.owned, wanted)
        if (errors.length > 0) return unrepaired(errors)
        status = { ready: true, message: statusText(subnet, wanted.routes.length, others.length) }
      } catch (error) {
        unrepaired([error])
      }
    }

    function statusText(subnet: string, reached: number, all: number): string {
      return [
        `${subnet} by ${config.backend.type}, ${reached} ${reached === 1 ? 'peer' : 'peers'}`,
        ...(reached < all ? [`${all - reached} of another backend`] : []),
        ...(peers.behind === undefined ? [] : [`perhaps out of date: ${peers.behind}`]),
      ].join('; ')
    }

    function unrepaired(errors: readonly unknown[]): void {
      for (const error of errors) log.error('flannel: the node’s tables are not right', { error })
      if (lease) status = { ready: false, message: errors.map(textOf).join('; ') }
      retry ??= clock.after(
        retryDelay,
        () => {
          retry = undefined
          repairSoon()
        },
        { background: true },
      )
    }

    /** One comparison at a time; what comes meanwhile asks for one more, however much it is. */
    function repairSoon(): void {
      if (signal.aborted) return
      if (repairing) repairAgain = true
      else task(repairNow())
    }

    function repairNow(): Promise<void> {
      repairAgain = false
      repairing = repair().finally(() => {
        repairing = undefined
        if (repairAgain) repairSoon()
      })
      return repairing
    }

    async function watchPeers(onFirst: () => void): Promise<void> {
      for await (const event of leases.watch({ signal })) {
        peers.apply(event)
        if (event.kind === 'snapshot') {
          while (repairing) await repairing
          await repairNow()
          onFirst()
        } else {
          repairSoon()
        }
      }
    }

    async function watchKernel(): Promise<void> {
      for await (const change of host.changes({ signal })) {
        if (backend && concerns(change, backend)) repairSoon()
      }
    }

    async function watch(what: string, work: Promise<void>, onFailure: (error: unknown) => void) {
      try {
        await work
      } catch (error) {
        onFailure(error)
        if (signal.aborted) return
        status = { ready: false, message: `the watch of ${what} ended: ${textOf(error)}` }
        log.error(`flannel: the watch of ${what} ended`, { error })
      }
    }

    return {
      async start() {
        await join()
        await new Promise<void>((resolve, reject) => {
          task(watch('the kernel', watchKernel(), reject))
          task(watch('the peers', watchPeers(resolve), reject))
        })
      },
      async stop() {
        stopping.abort()
        retry?.[Symbol.dispose]()
        while (tasks.size > 0) await Promise.allSettled(tasks)
        lease?.close()
        await host[Symbol.asyncDispose]()
      },
    }
  }

  return {
    async start() {
      if (run) throw new RangeError('flannel: the controller runs already')
      const begun = begin(kernel.in(kernel.netns.host))
      run = begun
      try {
        await begun.start()
      } catch (error) {
        run = undefined
        status = { ready: false, message: textOf(error) }
        await begun.stop()
        throw error
      }
    },
    async stop() {
      await run?.stop()
      run = undefined
      status = { ready: false, message: 'stopped' }
    },
    status: () => status,
  }
}

interface Run {
  start(): Promise<void>
  stop(): Promise<void>
}

/** Whether the rows that the network keeps may have been touched. Pods come and go without a comparison. */
function concerns(change: Change, { owned: { network, tunnel }, underlay }: Backend): boolean {
  switch (change.table) {
    case 'overrun':
      return true
    case 'links':
      return change.row.name === tunnel || change.row.name === underlay.link
    case 'routes':
      return covers(network, change.row.destination)
    case 'rules':
      return false
    default:
      return change.row.link === tunnel
  }
}

async function forward(host: Namespace, family: 4 | 6): Promise<void> {
  await host.sysctl.ensure(forwarding[family], '1')
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
