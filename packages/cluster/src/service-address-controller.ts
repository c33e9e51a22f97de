import type { Service } from '@podfabric/kube'
import { addressAt, type Family, type Ip, type Prefix, prefixFamily, prefixSize } from '@podfabric/netaddr'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'

/**
 * Gives services their addresses, one of each family that the cluster has a service range for and the service asks for.
 * Nothing answers at these addresses yet: there is no service proxy.
 */
export function serviceAddressController(table: ObjectTable, ranges: readonly Prefix[]): ControlLoopPart {
  return {
    name: 'service addresses',
    sync() {
      const services = table.list('Service')
      const taken = new Set(services.flatMap(({ spec }) => spec.clusterIPs))
      for (const service of services) if (needsAddress(service)) assign(service, ranges, taken, table)
    },
  }
}

function needsAddress({ spec }: Service): boolean {
  return spec.type !== 'ExternalName' && spec.clusterIP === undefined
}

function assign(service: Service, ranges: readonly Prefix[], taken: Set<Ip>, table: ObjectTable): void {
  const addresses = familiesOf(service, ranges).flatMap((family) => {
    const range = ranges.find((prefix) => prefixFamily(prefix) === family)
    return range === undefined ? [] : [freeAddress(range, taken)]
  })
  const [first] = addresses
  if (first === undefined) return
  for (const address of addresses) taken.add(address)
  table.put({ ...service, spec: { ...service.spec, clusterIP: first, clusterIPs: addresses } })
}

function familiesOf({ spec }: Service, ranges: readonly Prefix[]): readonly Family[] {
  const cluster = ranges.map(prefixFamily)
  if (spec.ipFamilies.length > 0) return spec.ipFamilies.map((family) => (family === 'IPv4' ? 4 : 6))
  return spec.ipFamilyPolicy === 'SingleStack' ? cluster.slice(0, 1) : cluster
}

function freeAddress(range: Prefix, taken: ReadonlySet<Ip>): Ip {
  const size = prefixSize(range)
  for (let index = 1; index < size - 1; index++) {
    const address = addressAt(range, index)
    if (!taken.has(address)) return address
  }
  throw new Error(`service range ${range} is used up: give the cluster a larger one`)
}
