import {
  type EndpointSlice,
  isHeadless,
  type Namespace,
  type Pod,
  type Service,
  serviceNameOf,
} from '@podfabric/kube'
import { type Ip, isIp, parseIp } from '@podfabric/netaddr'
import { isWithin, type Name, nameKey, parseName } from '../message/name.ts'
import type { RecordOf, ResourceRecord } from '../message/record.ts'
import {
  address,
  podRecords,
  type RecordSettings,
  schemaVersion,
  serviceRecords,
  sliceRecords,
} from './kube-records.ts'
import { type RecordSets, recordTree } from './record-tree.ts'
import type { Zone } from './zone.ts'

/** The objects from which the records of a cluster follow. */
export type ZoneObject = Namespace | Service | EndpointSlice | Pod

export type ZoneChange =
  | { readonly type: 'put'; readonly object: ZoneObject }
  | {
      readonly type: 'delete'
      readonly kind: ZoneObject['kind']
      /** Absent for a Namespace. */
      readonly namespace?: string
      readonly name: string
    }

/** What a change did to the records. Both lists are empty when it did nothing. */
export interface ZoneDelta {
  readonly serial: number
  readonly added: readonly ResourceRecord[]
  readonly removed: readonly ResourceRecord[]
}

export interface ClusterZoneOptions {
  /** Default `cluster.local`. */
  readonly zone?: Name
  /** Seconds that an answer may be kept, yes or no; 0 to 3600. Default 5. */
  readonly ttl?: number
  /**
   * Names such as `10-244-1-2.default.pod.cluster.local`. `disabled` (default): there are none. `insecure`: any address in a
   * namespace that exists. `verified`: only addresses of pods that were put.
   */
  readonly pods?: 'disabled' | 'insecure' | 'verified'
  /** Addresses of the server, for `ns.dns.<zone>`. Default: none. */
  readonly nameservers?: readonly Ip[]
}

/** The records of a Kubernetes cluster. The state is a function of the objects there are, not of the order of changes. */
export interface ClusterZone extends Zone {
  readonly name: Name
  /** Counts changes of records, from 1; the serial of the SOA record. */
  readonly serial: number
  /** Puts an object (again) or deletes one; deleting what is not there does nothing. Costs as much as that object has records. */
  update(change: ZoneChange): ZoneDelta
  /** From here on the zone answers: all objects that there are have been put. */
  markSynced(): void
  /** Every record, in no particular order. */
  records(): Iterable<ResourceRecord>
}

const reverseApexes = ['in-addr.arpa', 'ip6.arpa'] as const
const maxSoaTtl = 300
const schemaTtl = 28_800

/** What one object gives to the zone. */
interface Contribution {
  readonly records: readonly ResourceRecord[]
  /** Names that exist because of it, records or not. */
  readonly held: readonly Name[]
}

const nothing: Contribution = { records: [], held: [] }

export function clusterZone(options: ClusterZoneOptions = {}): ClusterZone {
  const { ttl = 5, pods = 'disabled', nameservers = [] } = options
  const zone = nameKey(parseName(options.zone ?? 'cluster.local'))
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > 3600)
    throw new RangeError(`ttl ${ttl} is not an integer from 0 to 3600`)
  const settings: RecordSettings = { zone, ttl }
  const apexes: readonly Name[] = [zone, ...reverseApexes]
  const tree = recordTree()
  const contributions = new Map<string, Contribution>()
  const services = new Map<string, Service>()
  const slices = new Map<string, Map<string, EndpointSlice>>()
  const serviceOfSlice = new Map<string, string>()
  let serial = 1
  let synced = false

  function contribute(
    key: string,
    next: Contribution,
    delta: { added: ResourceRecord[]; removed: ResourceRecord[] },
  ): void {
    const before = contributions.get(key) ?? nothing
    for (const name of next.held) tree.hold(name)
    for (const record of next.records) if (tree.put(record)) delta.added.push(record)
    for (const record of before.records) if (tree.take(record)) delta.removed.push(record)
    for (const name of before.held) tree.release(name)
    if (next === nothing) contributions.delete(key)
    else contributions.set(key, next)
  }

  function inNamespace(namespace: string, records: readonly ResourceRecord[]): Contribution {
    return { records, held: [`${namespace}.svc.${zone}`, `${namespace}.pod.${zone}`] }
  }

  function sliceContribution(slice: EndpointSlice, serviceKey: string | undefined): Contribution {
    const service = serviceKey === undefined ? undefined : services.get(serviceKey)
    return inNamespace(slice.metadata.namespace, sliceRecords(slice, service, settings))
  }

  function placeSlice(key: string, slice: EndpointSlice | undefined): void {
    const before = serviceOfSlice.get(key)
    if (before !== undefined) {
      const siblings = slices.get(before)
      siblings?.delete(key)
      if (siblings?.size === 0) slices.delete(before)
      serviceOfSlice.delete(key)
    }
    const serviceName = slice && serviceNameOf(slice)
    if (!slice || serviceName === undefined) return
    const serviceKey = `${slice.metadata.namespace}/${serviceName}`
    serviceOfSlice.set(key, serviceKey)
    const siblings = slices.get(serviceKey)
    if (siblings) siblings.set(key, slice)
    else slices.set(serviceKey, new Map([[key, slice]]))
  }

  function update(change: ZoneChange): ZoneDelta {
    const added: ResourceRecord[] = []
    const removed: ResourceRecord[] = []
    const delta = { added, removed }
    const { kind, namespace, name } = subjectOf(change)
    const object = change.type === 'put' ? change.object : undefined
    const key = `${kind}/${namespace}/${name}`
    switch (kind) {
      case 'Namespace':
        contribute(key, object ? inNamespace(name, []) : nothing, delta)
        break
      case 'Pod':
        if (object?.kind !== 'Pod') contribute(key, nothing, delta)
        else
          contribute(
            key,
            inNamespace(namespace, pods === 'verified' ? podRecords(object, settings) : []),
            delta,
          )
        break
      case 'Service': {
        const serviceKey = `${namespace}/${name}`
        const service = object?.kind === 'Service' ? object : undefined
        const before = publicationOf(services.get(serviceKey))
        if (service) services.set(serviceKey, service)
        else services.delete(serviceKey)
        contribute(key, service ? inNamespace(namespace, serviceRecords(service, settings)) : nothing, delta)
        if (publicationOf(service) === before) break
        for (const [sliceKey, slice] of slices.get(serviceKey) ?? []) {
          contribute(sliceKey, sliceContribution(slice, serviceKey), delta)
        }
        break
      }
      case 'EndpointSlice': {
        const slice = object?.kind === 'EndpointSlice' ? object : undefined
        placeSlice(key, slice)
        contribute(key, slice ? sliceContribution(slice, serviceOfSlice.get(key)) : nothing, delta)
        break
      }
    }
    if (added.length > 0 || removed.length > 0) serial = serial === 0xffff_ffff ? 1 : serial + 1
    return { serial, added, removed }
  }

  function soa(apex: Name): RecordOf<'SOA'> {
    return {
      name: apex,
      class: 'IN',
      ttl: Math.min(ttl, maxSoaTtl),
      type: 'SOA',
      primary: `ns.dns.${zone}`,
      mailbox: `hostmaster.${zone}`,
      serial,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: ttl,
    }
  }

  function find(key: string): RecordSets | undefined {
    const found = tree.find(key)
    if (found && apexes.includes(key)) return new Map([...found, ['SOA', [soa(key)]]])
    if (found || pods !== 'insecure' || !isWithin(key, `pod.${zone}`)) return found
    return claimedPod(key)
  }

  /** A pod's name made of any address at all, as kube-dns did: only the namespace must exist. */
  function claimedPod(key: string): RecordSets | undefined {
    const [label = '', namespace = '', ...more] = key.slice(0, -`.pod.${zone}`.length).split('.')
    if (more.length > 0 || !tree.find(`${namespace}.pod.${zone}`)) return undefined
    const ip = addressInLabel(label)
    if (ip === undefined) return undefined
    const record: ResourceRecord = { name: key, class: 'IN', ttl, ...address(ip) }
    return new Map([[record.type, [record]]])
  }

  tree.hold(`svc.${zone}`)
  tree.hold(`pod.${zone}`)
  for (const apex of apexes) tree.put({ name: apex, class: 'IN', ttl, type: 'NS', target: `ns.dns.${zone}` })
  for (const ip of nameservers) tree.put({ name: `ns.dns.${zone}`, class: 'IN', ttl, ...address(ip) })
  tree.put({
    name: `dns-version.${zone}`,
    class: 'IN',
    ttl: schemaTtl,
    type: 'TXT',
    strings: [new TextEncoder().encode(schemaVersion)],
  })

  return {
    name: zone,
    apexes,
    get serial() {
      return serial
    },
    get synced() {
      return synced
    },
    update,
    markSynced() {
      synced = true
    },
    find,
    soa,
    records: tree.records,
  }
}

/** Which endpoints of a service have records: all that a slice's records need to know of it beyond its name. */
function publicationOf(service: Service | undefined): 'none' | 'ready' | 'all' {
  if (!service || !isHeadless(service)) return 'none'
  return service.spec.publishNotReadyAddresses ? 'all' : 'ready'
}

function subjectOf(change: ZoneChange): { kind: ZoneObject['kind']; namespace: string; name: string } {
  if (change.type === 'delete') {
    return { kind: change.kind, namespace: change.namespace ?? '', name: change.name }
  }
  const { kind, metadata } = change.object
  return { kind, namespace: 'namespace' in metadata ? metadata.namespace : '', name: metadata.name }
}

/** `10-244-1-2` is IPv4: three dashes, no two of them side by side. Everything else is IPv6, as CoreDNS reads it. */
function addressInLabel(label: string): Ip | undefined {
  const dashes = label.split('-').length - 1
  const text = dashes === 3 && !label.includes('--') ? label.replaceAll('-', '.') : label.replaceAll('-', ':')
  try {
    return isIp(text) ? text : parseIp(text)
  } catch {
    return undefined
  }
}
