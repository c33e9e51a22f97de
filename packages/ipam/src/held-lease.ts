import type { Clock, Lease, Store } from '@podfabric/store'
import { IpamError } from './ipam-error.ts'
import { type LeaseData, leaseFormat, type SubnetLease, subnetKey } from './subnet-record.ts'

/** How the last renewal went. */
export interface Renewal {
  /** When the lease was last renewed, or acquired, in milliseconds since the epoch. */
  readonly renewedAt: number
  /** Why the latest attempt failed; absent when it did not. It is tried again until the lease is lost. */
  readonly failure?: unknown
}

/** A node's subnet in the hands of its holder, who renews it in the background. */
export interface HeldSubnetLease extends SubnetLease {
  readonly node: string
  /**
   * Aborted when the subnet cannot be relied on any more: its lease was not renewed in time, or another process holds it for
   * the same node (IPAM_SUBNET_IN_USE). The subnet stays reserved: acquire it again.
   */
  readonly lost: AbortSignal
  /** How the renewal stands. */
  renewal(): Renewal
  /** Replaces what the peers know. Fails with the reason of `lost` when it is lost. */
  update(data: LeaseData): Promise<void>
  /** Gives the subnet back at once, for any node. Does nothing if another process holds it now. */
  release(): Promise<void>
  /** Stops renewing. The lease ends by itself; until then, and as a reservation after that, the subnet stays the node's. */
  close(): void
}

/** What a holder starts from: a claim that was just written. */
export interface Claim {
  readonly store: Store
  readonly lease: Lease
  readonly record: SubnetLease & { readonly node: string }
  /** The revision that wrote it. */
  readonly revision: number
  readonly clock: Clock
  readonly renewMarginSeconds?: number
  readonly retrySeconds?: number
}

/** Keeps a claim alive until it is lost, released or closed. */
export function holdLease(claim: Claim): HeldSubnetLease {
  const { store, lease, record, revision, clock, renewMarginSeconds = 3600, retrySeconds = 60 } = claim
  const { subnet, publicIp, node } = record
  const key = `subnets/${subnetKey(subnet)}`
  const stillOurs = { key: `nodes/${node}`, revision }
  const margin = Math.min(renewMarginSeconds, lease.ttlSeconds / 2)
  const retryMs = Math.min(retrySeconds, margin / 4) * 1000
  const lost = new AbortController()
  let data = record.data
  let renewal: Renewal = { renewedAt: clock.now() }
  let timer: Disposable | undefined

  const stop = () => {
    timer?.[Symbol.dispose]()
    timer = undefined
    lease.lost.removeEventListener('abort', onLost)
  }
  const lose = (reason: unknown) => {
    stop()
    lost.abort(reason)
  }
  const onLost = () => lose(lease.lost.reason)
  const schedule = (delayMs: number) => {
    timer = clock.after(delayMs, () => void renew(), { background: true })
  }

  const renew = async (): Promise<void> => {
    const mine = timer
    let next = (lease.ttlSeconds - margin) * 1000
    try {
      await lease.keepAlive()
      const { succeeded } = await store.txn({ compare: [stillOurs], success: [] })
      if (!succeeded) lose(takenOver())
      renewal = { renewedAt: clock.now() }
    } catch (failure) {
      renewal = { ...renewal, failure }
      next = retryMs
    }
    // Stopped meanwhile, or lost: then there is nothing to renew.
    if (timer !== undefined && timer === mine) schedule(next)
  }

  const takenOver = () =>
    new IpamError(
      'IPAM_SUBNET_IN_USE',
      `subnet ${subnet} of node ${node} is held by another process or was retired`,
    )

  lease.lost.addEventListener('abort', onLost, { once: true })
  if (lease.lost.aborted) onLost()
  else schedule((lease.ttlSeconds - margin) * 1000)

  return {
    subnet,
    publicIp,
    node,
    get data() {
      return data
    },
    lost: lost.signal,
    renewal: () => renewal,
    async update(news) {
      if (lost.signal.aborted) throw lost.signal.reason
      const value = leaseFormat.format({ subnet, publicIp, node, data: news })
      const { succeeded } = await store.txn({
        compare: [stillOurs, { key, exists: true }],
        success: [{ type: 'put', key, value, lease: lease.id }],
      })
      if (!succeeded) {
        if (!lost.signal.aborted) lose(takenOver())
        throw lost.signal.reason
      }
      data = news
    },
    async release() {
      stop()
      await store.txn({
        compare: [stillOurs],
        success: [
          { type: 'delete', key: stillOurs.key },
          { type: 'delete', key: `reservations/${subnetKey(subnet)}` },
          { type: 'delete', key },
        ],
      })
      await lease.revoke()
    },
    close: stop,
  }
}
