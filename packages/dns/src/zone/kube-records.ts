import {
  type Endpoint,
  type EndpointSlice,
  isHeadless,
  type Pod,
  type Protocol,
  type Service,
} from '@podfabric/kube'
import { type Ip, ipToBytes, isV4 } from '@podfabric/netaddr'
import type { Name } from '../message/name.ts'
import type { RecordData, ResourceRecord } from '../message/record.ts'

/** Version of the specification that these records follow: Kubernetes DNS-Based Service Discovery. */
export const schemaVersion = '1.1.0'

export interface RecordSettings {
  readonly zone: Name
  /** Seconds. */
  readonly ttl: number
}

/** SRV records have the whole weight here; an answer divides it by the number of targets. */
const wholeWeight = 100

/**
 * Records of a service itself: the addresses of a ClusterIP service, an SRV record for each port, and the way back; the
 * other name of an ExternalName service. A headless service has none: its endpoints have them.
 */
export function serviceRecords(service: Service, settings: RecordSettings): readonly ResourceRecord[] {
  const { spec } = service
  const name = serviceName(service.metadata, settings)
  const make = recordMaker(settings)
  if (spec.type === 'ExternalName') {
    return spec.externalName === undefined ? [] : [make(name, { type: 'CNAME', target: spec.externalName })]
  }
  if (isHeadless(service) || spec.clusterIPs.length === 0) return []
  return [
    ...spec.clusterIPs.map((ip) => make(name, address(ip))),
    ...spec.ports.flatMap((port) => portRecords(make, name, port.name ?? '', port.protocol, port.port, name)),
    ...spec.clusterIPs.map((ip) => make(reverseName(ip), { type: 'PTR', target: name })),
  ]
}

/**
 * Records that one slice adds to its headless service: for each endpoint that is published an address under the service's
 * name and one under its own, an SRV record for each port, and the way back. None for any other service.
 */
export function sliceRecords(
  slice: EndpointSlice,
  service: Service | undefined,
  settings: RecordSettings,
): readonly ResourceRecord[] {
  if (!service || !isHeadless(service)) return []
  const make = recordMaker(settings)
  const name = serviceName(service.metadata, settings)
  const published = slice.endpoints.filter(
    ({ conditions }) => conditions.ready || service.spec.publishNotReadyAddresses,
  )
  return published.flatMap((endpoint) =>
    endpoint.addresses.flatMap((ip) => {
      const target = `${endpointLabel(endpoint, ip)}.${name}`
      return [
        make(name, address(ip)),
        make(target, address(ip)),
        ...slice.ports.flatMap((port) =>
          portRecords(make, name, port.name, port.protocol, port.port, target),
        ),
        make(reverseName(ip), { type: 'PTR', target }),
      ]
    }),
  )
}

/** `10-244-1-2.<namespace>.pod.<zone>` for each address that the pod has. */
export function podRecords(pod: Pod, settings: RecordSettings): readonly ResourceRecord[] {
  const make = recordMaker(settings)
  const suffix = `${pod.metadata.namespace}.pod.${settings.zone}`
  return (pod.status?.podIPs ?? []).map(({ ip }) => make(`${dashed(ip)}.${suffix}`, address(ip)))
}

export function address(ip: Ip): RecordData {
  return isV4(ip) ? { type: 'A', address: ip } : { type: 'AAAA', address: ip }
}

/** The name of an address in `in-addr.arpa` (RFC 1035, section 3.5) or `ip6.arpa` (RFC 3596). */
export function reverseName(ip: Ip): Name {
  if (isV4(ip)) return `${ip.split('.').reverse().join('.')}.in-addr.arpa`
  const nibbles = [...ipToBytes(ip)].flatMap((octet) => [octet >>> 4, octet & 0xf])
  return `${nibbles
    .reverse()
    .map((nibble) => nibble.toString(16))
    .join('.')}.ip6.arpa`
}

function recordMaker({ ttl }: RecordSettings) {
  return (name: Name, data: RecordData): ResourceRecord => ({ name, class: 'IN', ttl, ...data })
}

function serviceName(metadata: Service['metadata'], { zone }: RecordSettings): Name {
  return `${metadata.name}.${metadata.namespace}.svc.${zone}`
}

/**
 * A named port has its own name. All ports, named or not, are also found under the service's bare name: the specification
 * does not ask for that, but CoreDNS answers so and clients rely on it.
 */
function portRecords(
  make: (name: Name, data: RecordData) => ResourceRecord,
  name: Name,
  portName: string,
  protocol: Protocol,
  port: number,
  target: Name,
): ResourceRecord[] {
  const data: RecordData = { type: 'SRV', priority: 0, weight: wholeWeight, port, target }
  const bare = make(name, data)
  return portName === '' ? [bare] : [bare, make(`_${portName}._${protocol.toLowerCase()}.${name}`, data)]
}

function endpointLabel(endpoint: Endpoint, ip: Ip): string {
  return endpoint.hostname ?? dashed(ip)
}

function dashed(ip: Ip): string {
  return ip.replaceAll(/[.:]/g, '-')
}
