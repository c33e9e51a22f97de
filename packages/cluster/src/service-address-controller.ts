import type { Service } from '@podfabric/kube'
import { addressAt, type Family, type Ip, type Prefix, prefixFamily, prefixSize } from '@podfabric/netaddr'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'

/**
 * Gives services their addresses, one of each family that the cluster has a service range for and the service asks for. A
 * service whose families cannot all be served gets none, and is a problem. Nothing answers at these addresses yet: there
 * is no service proxy.
 */
export function serviceAddressController(table: ObjectTable, ranges: readonly Prefix[]): ControlLoopPart {
  let problems: string[] = []
  return {
    name: 'service addresses',
    sync() {
      problems = []
      const services = table.list('Service')
      const waiting = services.filter(needsAddress)
      if (waiting.length === 0) return
      const taken = new Set(services.flatMap(({ spec }) => spec.clusterIPs))
      for (const service of waiting) {
        const reason = assign(service, ranges, taken, table)
        const { namespace, name } = service.metadata
        if (reason !== undefined) problems.push(`service ${namespace}/${name}: ${reason}`)
      }
    },
    problems: () => problems,
  }
}

function needsAddress({ spec }: Service): boolean {
  return spec.type !== 'ExternalName' && spec.clusterIP === undefined
}

/** Why not, or undefined. */
function assign(
  service: Service,
  ranges: readonly Prefix[],
  taken: Set<Ip>,
  table: ObjectTable,
): string | undefined {
  const addresses: Ip[] = []
  for (const family of familiesOf(service, ranges)) {
    const range = ranges.find((prefix) => prefixFamily(prefix) === family)
    if (range === undefined) return `the cluster has no IPv${family} range of service addresses`
    const address = freeAddress(range, taken)
    if (address === undefined) return `service range ${range} is used up; give the cluster a larger one`
    addresses.push(address)
  }
  const [first] = addresses
  if (first === undefined) return 'the cluster has no range of service addresses'
  for (const address of addresses) taken.add(address)
  table.put({ ...service, spec: { ...service.spec, clusterIP: first, clusterIPs: addresses } })
  return undefined
}

function familiesOf({ spec }: Service, ranges: readonly Prefix[]): readonly Family[] {
  const cluster = ranges.map(prefixFamily)
  if (spec.ipFamilies.length > 0) return spec.ipFamilies.map((family) => (family === 'IPv4' ? 4 : 6))
  if (spec.ipFamilyPolicy === 'SingleStack') return cluster.slice(0, 1)
  return spec.ipFamilyPolicy === 'RequireDualStack' ? [...new Set([...cluster, 4, 6] as const)] : cluster
}

/** The first that nobody has; a range's first and last address are never given. */
function freeAddress(range: Prefix, taken: ReadonlySet<Ip>): Ip | undefined {
  const size = prefixSize(range)
  for (let index = 1; index < size - 1; index++) {
    const address = addressAt(range, index)
    if (!taken.has(address)) return address
  }
  return undefined
}
