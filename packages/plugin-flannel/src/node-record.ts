import { prefixSchema } from '@podfabric/cni'
import type { Prefix } from '@podfabric/netaddr'
import { type Collection, collection, json, type Store } from '@podfabric/store'
import * as v from 'valibot'

/** What ADD needs to know of its node: what Flannel's daemon writes to subnet.env. */
export interface NodeRecord {
  readonly subnet: Prefix
  /** Of the pods' links, in octets. */
  readonly mtu: number
}

const schema = v.object({ subnet: prefixSchema, mtu: v.number() })

/** One record for each node, written by its controller and read by ADD. */
export function nodeRecords(store: Store): Collection<NodeRecord> {
  return collection(
    store,
    'node-records/',
    json((value) => v.parse(schema, value)),
  )
}
