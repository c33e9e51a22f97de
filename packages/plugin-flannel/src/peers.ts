import type { Log } from '@podfabric/cni'
import type { SubnetLease } from '@podfabric/ipam'
import { covers, type Prefix } from '@podfabric/netaddr'
import type { CollectionEvent } from '@podfabric/store'
import type { Peer } from './backend.ts'
import { parsePeerData } from './peer-data.ts'

/** What is known of the other nodes' leases. */
export interface Peers {
  /** Takes in what a watch of the leases reports. A record that is of no use is logged once, when it comes. */
  apply(event: CollectionEvent<SubnetLease>): void
  /** All nodes with a lease that can be read, but the one of that name or subnet. */
  others(than: { readonly node: string; readonly subnet: Prefix }): readonly Peer[]
  /** Why what is known may be out of date; undefined when it is not. */
  readonly behind: string | undefined
}

interface KnownPeer extends Peer {
  readonly node: string | undefined
}

export function peersOf(network: Prefix, log: Log): Peers {
  const known = new Map<string, KnownPeer>()
  let behind: string | undefined

  function put(name: string, { node, subnet, publicIp, data: record }: SubnetLease): void {
    known.delete(name)
    const data = parsePeerData(record)
    if (data && covers(network, subnet)) {
      known.set(name, { node, subnet, publicIp, data })
      return
    }
    const reason = data ? `its subnet is not of ${network}` : 'its backend is not known here'
    log.warn(`flannel: a peer cannot be reached: ${reason}`, { peer: node, subnet, data: record })
  }

  return {
    apply(event) {
      behind = event.kind === 'lag' ? event.reason : undefined
      if (event.kind === 'snapshot') {
        known.clear()
        for (const { error } of event.damaged) log.warn('flannel: a lease cannot be read', { error })
        for (const { name, value } of event.items) put(name, value)
      } else if (event.kind === 'changes') {
        for (const change of event.changes) {
          if (change.type === 'put') put(change.name, change.item.value)
          else known.delete(change.name)
          if (change.type === 'damaged') log.warn('flannel: a lease cannot be read', { error: change.error })
        }
      }
    },
    others: (than) =>
      [...known.values()].filter(({ node, subnet }) => node !== than.node && subnet !== than.subnet),
    get behind() {
      return behind
    },
  }
}
