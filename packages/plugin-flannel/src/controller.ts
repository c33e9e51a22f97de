import type { Controller, ControllerStatus, PluginContext } from '@podfabric/cni'
import { type HeldSubnetLease, type SubnetLease, subnetLeases } from '@podfabric/ipam'
import { type Namespace, sleep } from '@podfabric/kernel'
import type { Backend, Peer } from './backend.ts'
import type { FlannelConfig } from './config.ts'
import { hostGwBackend } from './host-gw-backend.ts'
import { nodeRecords } from './node-record.ts'
import { formatPeerData, parsePeerData } from './peer-data.ts'
import { reconcile } from './tables.ts'
import { findUnderlay, type Underlay } from './underlay.ts'
import { vxlanBackend } from './vxlan-backend.ts'

/** Milliseconds until what failed is tried again. */
const retryDelay = 10_000

/**
 * Keeps one node in the network: leases a subnet, tells the peers how to reach it, and keeps one route (and for VXLAN one neighbor
 * and one fdb entry) for each peer.
 */
export function flannelController(config: FlannelConfig, context: PluginContext): Controller {
  const { kernel, store, clock, random, log, node } = context
  const leases = subnetLeases(store, { network: config.network, subnetLength: config.subnetLength, clock })
  const peers = new Map<string, SubnetLease>()
  let stopping = new AbortController()
  let namespace: Namespace | undefined
  let lease: HeldSubnetLease | undefined
  let backend: Backend | undefined
  let status: ControllerStatus = { ready: false, message: 'not started' }
  let running: Promise<unknown> = Promise.resolve()
  let repairing: Promise<void> | undefined
  let repairAgain = false
  let retry: Disposable | undefined

  async function makeBackend(host: Namespace, underlay: Underlay): Promise<Backend> {
    if (config.backend.type === 'host-gw') return hostGwBackend({ namespace: host, underlay, random })
    const mine = (await leases.list()).items.find(({ value }) => value.node === node.name)
    const previous = mine && parsePeerData(mine.value.data)
    return vxlanBackend(config.backend, { namespace: host, underlay, random, previous })
  }

  async function join(host: Namespace): Promise<void> {
    const underlay = await findUnderlay(host, config.interface)
    const made = await makeBackend(host, underlay)
    const before = await nodeRecords(store).get(node.name)
    const held = await leases.acquire({
      node: node.name,
      publicIp: underlay.address,
      data: formatPeerData(made.peerData),
      ...(before && { preferred: before.value.subnet }),
    })
    lease = held
    backend = made
    await host.sysctl.set(
      held.subnet.includes(':') ? 'net.ipv6.conf.all.forwarding' : 'net.ipv4.ip_forward',
      '1',
    )
    await made.ensure(held.subnet)
    await nodeRecords(store).put(node.name, { subnet: held.subnet, mtu: made.podMtu })
    held.lost.addEventListener('abort', onLost, { once: true })
  }

  /** The data path stays as it is; the subnet is reserved for this node, which asks for it again. */
  function onLost() {
    if (stopping.signal.aborted || !namespace) return
    const host = namespace
    status = { ready: false, message: `the lease of ${lease?.subnet} was lost; asking for it again` }
    log.error('the subnet lease was lost', { subnet: lease?.subnet, reason: lease?.lost.reason })
    void keepTrying(() => join(host))
  }

  async function keepTrying(work: () => Promise<void>): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await work()
        await repair()
        return
      } catch (error) {
        log.error('flannel: trying again later', { error })
        await sleep(clock, retryDelay, { signal: stopping.signal, background: true }).catch(() => undefined)
      }
    }
  }

  function reachable(): readonly Peer[] {
    return [...peers.values()].flatMap(({ node: name, subnet, publicIp, data }) => {
      if (name === node.name || subnet === lease?.subnet) return []
      const peer = parsePeerData(data)
      if (peer) return [{ subnet, publicIp, ...peer }]
      log.warn('a peer’s backend is not known here; it cannot be reached', { peer: name, subnet, data })
      return []
    })
  }

  async function repairOnce(): Promise<void> {
    if (!backend || !lease || !namespace) return
    await backend.ensure(lease.subnet)
    const wanted = await backend.tables(reachable())
    const errors = await reconcile(namespace, backend.links, wanted)
    for (const error of errors) log.error('flannel: the kernel refused an entry', { error })
    status =
      errors.length === 0
        ? { ready: true, message: `${lease.subnet} on ${config.backend.type}, ${wanted.routes.length} peers` }
        : { ready: false, message: errors.map(({ message }) => message).join('; ') }
    if (errors.length > 0) retryLater()
  }

  const reportRepair = (error: unknown) => log.error('flannel: the tables were not compared', { error })

  function retryLater(): void {
    retry ??= clock.after(
      retryDelay,
      () => {
        retry = undefined
        repair().catch(reportRepair)
      },
      { background: true },
    )
  }

  /** One comparison at a time; a change that comes meanwhile asks for one more. */
  function repair(): Promise<void> {
    if (repairing) {
      repairAgain = true
      return repairing
    }
    const work = repairOnce().finally(() => {
      repairing = undefined
      if (repairAgain && !stopping.signal.aborted) {
        repairAgain = false
        repair().catch(reportRepair)
      }
    })
    repairing = work
    return work
  }

  async function watchPeers(onFirst: () => void): Promise<void> {
    for await (const event of leases.watch({ signal: stopping.signal })) {
      if (event.kind === 'lag') continue
      if (event.kind === 'snapshot') {
        peers.clear()
        for (const { name, value } of event.items) peers.set(name, value)
      } else {
        for (const change of event.changes) {
          if (change.type === 'put') peers.set(change.name, change.item.value)
          else peers.delete(change.name)
        }
      }
      await repair()
      onFirst()
    }
  }

  async function watchKernel(host: Namespace): Promise<void> {
    for await (const change of host.changes({ signal: stopping.signal })) {
      if (change.table === 'overrun' || change.type === 'gone') await repair()
    }
  }

  return {
    async start() {
      stopping = new AbortController()
      const host = kernel.in(kernel.netns.host)
      namespace = host
      try {
        await join(host)
      } catch (error) {
        lease?.close()
        await host[Symbol.asyncDispose]()
        throw error
      }
      const first = Promise.withResolvers<void>()
      const watching = [watchPeers(first.resolve), watchKernel(host)].map((work) =>
        work.catch((error) => {
          first.reject(error)
          if (stopping.signal.aborted) return
          status = {
            ready: false,
            message: `a watch ended: ${error instanceof Error ? error.message : error}`,
          }
          log.error('flannel: a watch ended', { error })
        }),
      )
      running = Promise.all(watching)
      await first.promise
    },
    async stop() {
      stopping.abort()
      retry?.[Symbol.dispose]()
      retry = undefined
      lease?.close()
      await running
      await namespace?.[Symbol.asyncDispose]()
      status = { ready: false, message: 'stopped' }
    },
    status: () => status,
  }
}
