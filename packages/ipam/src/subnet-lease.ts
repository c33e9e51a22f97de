import { type Ip, overlaps, type Prefix } from '@podfabric/netaddr'
import {
  type Clock,
  type CollectionEvent,
  collection,
  type ItemList,
  type Lease,
  type Operation,
  type Store,
  StoreError,
  type WatchOptions,
} from '@podfabric/store'
import { type HeldSubnetLease, holdLease } from './held-lease.ts'
import { IpamError } from './ipam-error.ts'
import { parseNodeName } from './owner.ts'
import { firstFree, isPlanned, type ResolvedPlan, resolvePlan, type SubnetPlan } from './subnet-plan.ts'
import {
  type LeaseData,
  leaseFormat,
  reservationFormat,
  type SubnetLease,
  subnetKey,
  subnetOfKey,
} from './subnet-record.ts'

/** How subnets are leased. The defaults are Flannel's. */
export interface SubnetLeasesOptions extends SubnetPlan {
  readonly clock: Clock
  /** How long a lease lives without being renewed. Default 86,400 seconds. */
  readonly ttlSeconds?: number
  /** How long before its end a lease is renewed, at most half its life. Default 3,600 seconds. */
  readonly renewMarginSeconds?: number
  /** How soon a renewal that failed is tried again. Default 60 seconds. */
  readonly retrySeconds?: number
}

/** Who wants a subnet. */
export interface AcquireOptions {
  readonly node: string
  /** Where the node is reached in the underlay. */
  readonly publicIp: Ip
  /** What its peers must know. Default: nothing. */
  readonly data?: LeaseData
  /** A subnet to take if it is free, such as the one an earlier run was given. Ignored when it is not, or not of the plan. */
  readonly preferred?: Prefix
}

/**
 * One subnet for each node of a network. A subnet has one node and a node one subnet, whoever asks and however many ask
 * at the same time.
 *
 * A lease that is not renewed is withdrawn: it disappears from `list` and `watch`. Its subnet stays reserved for its node,
 * which gets it back whenever it returns, until the node releases it or is retired: pods of a node that was only out of
 * reach keep their addresses. All calls pass on errors of the store.
 */
export interface SubnetLeases {
  /**
   * The node's subnet: the one reserved for it; else the one leased to its public address by a flanneld; else the
   * preferred one; else the first that is free. Fails with IPAM_OUT_OF_SUBNETS, IPAM_INVALID_OWNER.
   */
  acquire(options: AcquireOptions): Promise<HeldSubnetLease>
  /** The leases that live, ascending by key. */
  list(): Promise<ItemList<SubnetLease>>
  /** The same as a watch: every change of a record is reported, of its data too. */
  watch(options?: WatchOptions): AsyncIterableIterator<CollectionEvent<SubnetLease>>
  /**
   * Gives up the subnet reserved for a node that will not come back; false when there was none. Fails with
   * IPAM_SUBNET_IN_USE while its lease lives.
   */
  retire(node: string): Promise<boolean>
}

/**
 * Subnet leases over `store`, in its keys `subnets/` (as Flannel's), `reservations/` and `nodes/`. All who share a store must
 * have the same plan. Fails with IPAM_INVALID_POOL.
 */
export function subnetLeases(store: Store, options: SubnetLeasesOptions): SubnetLeases {
  const plan = resolvePlan(options)
  const leases = collection(store, 'subnets/', leaseFormat)

  return {
    async acquire(wanted) {
      parseNodeName(wanted.node)
      const lease = await store.lease(options.ttlSeconds ?? 86_400)
      try {
        for (;;) {
          const choice = await choose(store, plan, wanted)
          const { node, publicIp, data = {} } = wanted
          const record = { subnet: choice.subnet, publicIp, node, data }
          const revision = await claim(store, choice, record, lease)
          if (revision !== undefined) return holdLease({ store, lease, record, revision, ...options })
        }
      } catch (error) {
        await lease.revoke().catch((cause: unknown) => {
          throw new AggregateError([error, cause], 'a subnet was not acquired, and its lease not revoked')
        })
        throw error
      }
    },
    list: () => leases.list(),
    watch: (watchOptions) => leases.watch(watchOptions),
    retire: (node) => retire(store, node),
  }
}

/** A subnet that looked free, and the revisions at which it did; 0 for a key that was not there. */
interface Choice {
  readonly subnet: Prefix
  /** What the node had before, where that is another. */
  readonly former: Prefix | undefined
  readonly nodeRevision: number
  readonly reservationRevision: number
  readonly leaseRevision: number
}

async function choose(store: Store, plan: ResolvedPlan, wanted: AcquireOptions): Promise<Choice> {
  const mine = await collection(store, 'nodes/', reservationFormat).get(wanted.node)
  const leased = (await store.list('subnets/')).entries
  const reserved = (await store.list('reservations/')).entries
  const reservations = new Map(reserved.map((entry) => [entry.key.slice('reservations/'.length), entry]))
  const leases = new Map(leased.map((entry) => [entry.key.slice('subnets/'.length), entry]))
  const own = mine && subnetKey(mine.value.subnet)

  // Reservations come with every lease of ours; a lease without one is a flanneld's. Only these are worth a closer look.
  const foreign = [...leases.keys()].filter((key) => !reservations.has(key))
  const adopted = foreign.find((key) => {
    const { value } = leases.get(key) ?? { value: '' }
    return value.includes(wanted.publicIp) && isLeaseOf(wanted, value, key)
  })
  const taken = [...reservations.keys(), ...foreign]
    .filter((key) => key !== own && key !== adopted)
    .map(prefixOfKey)
  const isFree = (subnet: Prefix) =>
    isPlanned(plan, subnet) && !taken.some((other) => overlaps(other, subnet))
  const wishes = [
    mine?.value.subnet,
    adopted === undefined ? undefined : prefixOfKey(adopted),
    wanted.preferred,
  ]
  const subnet = wishes.find((wish) => wish !== undefined && isFree(wish)) ?? firstFree(plan, taken)
  if (subnet === undefined) throw outOfSubnets(plan, leased.length, reserved.length)
  const key = subnetKey(subnet)
  return {
    subnet,
    former: own === key ? undefined : mine?.value.subnet,
    nodeRevision: mine?.revision ?? 0,
    reservationRevision: reservations.get(key)?.revision ?? 0,
    leaseRevision: leases.get(key)?.revision ?? 0,
  }
}

function isLeaseOf({ node, publicIp }: AcquireOptions, value: string, key: string): boolean {
  const lease = read(() => leaseFormat.parse(value, key), key)
  return lease.publicIp === publicIp && (lease.node === undefined || lease.node === node)
}

/** The subnet of a key. One that cannot be read may be anybody's, so nothing is given until it is put right. */
function prefixOfKey(key: string): Prefix {
  return read(() => subnetOfKey(key), key)
}

function read<T>(parse: () => T, key: string): T {
  try {
    return parse()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new StoreError(
      'STORE_DAMAGED',
      `the lease of subnet ${key} cannot be read: ${reason}; put it right or delete it`,
      {
        cause,
      },
    )
  }
}

/** Writes the node's claim; the revision that did, or undefined when the subnet was taken or changed meanwhile. */
async function claim(
  store: Store,
  choice: Choice,
  record: SubnetLease,
  lease: Lease,
): Promise<number | undefined> {
  const { subnet, former } = choice
  const key = subnetKey(subnet)
  const node = record.node ?? ''
  const reservation = reservationFormat.format({ node, subnet })
  const obsolete =
    former === undefined ? [] : [`reservations/${subnetKey(former)}`, `subnets/${subnetKey(former)}`]
  const outcome = await store.txn({
    compare: [
      { key: `nodes/${node}`, revision: choice.nodeRevision },
      { key: `reservations/${key}`, revision: choice.reservationRevision },
      { key: `subnets/${key}`, revision: choice.leaseRevision },
    ],
    success: [
      { type: 'put', key: `nodes/${node}`, value: reservation },
      { type: 'put', key: `reservations/${key}`, value: reservation },
      { type: 'put', key: `subnets/${key}`, value: leaseFormat.format(record), lease: lease.id },
      ...obsolete.map((each): Operation => ({ type: 'delete', key: each })),
    ],
  })
  return outcome.succeeded ? outcome.revision : undefined
}

async function retire(store: Store, node: string): Promise<boolean> {
  const nodes = collection(store, 'nodes/', reservationFormat)
  for (;;) {
    const mine = await nodes.get(parseNodeName(node))
    if (mine === undefined) return false
    const key = subnetKey(mine.value.subnet)
    const outcome = await store.txn({
      compare: [
        { key: nodes.key(node), revision: mine.revision },
        { key: `subnets/${key}`, exists: false },
      ],
      success: [
        { type: 'delete', key: nodes.key(node) },
        { type: 'delete', key: `reservations/${key}` },
      ],
      failure: [{ type: 'get', key: `subnets/${key}` }],
    })
    if (outcome.succeeded) return true
    const [lease] = outcome.results
    if (lease?.type === 'get' && lease.entry !== undefined) {
      const message = `node ${node} has a living lease of ${mine.value.subnet}: stop it and wait until the lease ends`
      throw new IpamError('IPAM_SUBNET_IN_USE', message)
    }
  }
}

function outOfSubnets({ network, subnetLength }: ResolvedPlan, leased: number, reserved: number): IpamError {
  return new IpamError(
    'IPAM_OUT_OF_SUBNETS',
    `network ${network} has no free /${subnetLength} for another node: ${leased} are leased, ${reserved} reserved; ` +
      'retire nodes that will not come back or use a larger network',
  )
}
