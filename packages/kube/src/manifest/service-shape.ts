import { familyOf, type Ip, parseIp } from '@podfabric/netaddr'
import { isDnsSubdomain, isServiceName } from '../names.ts'
import type { PortReference } from '../probe.ts'
import type { IpFamily, Service, ServicePort, ServiceSpec } from '../service.ts'
import { dnsLabel, labels, namespacedMeta } from './metadata-shape.ts'
import { portNumber, protocol } from './pod-shape.ts'
import { portReference } from './probe-shape.ts'
import {
  boolean,
  type Complain,
  checked,
  fallback,
  list,
  mapped,
  object,
  oneOf,
  optional,
  parsed,
  required,
  type Shape,
  text,
} from './shape.ts'

interface WrittenPort extends Omit<ServicePort, 'targetPort'> {
  readonly targetPort?: PortReference
}

const servicePort: Shape<ServicePort> = mapped(
  object<WrittenPort>({
    name: optional(dnsLabel),
    protocol: fallback('TCP', protocol),
    port: required(portNumber),
    targetPort: optional(portReference),
    nodePort: optional(portNumber),
    appProtocol: optional(text()),
  }),
  (written) => ({ ...written, targetPort: written.targetPort ?? written.port }),
)

const clusterIp: Shape<Ip | 'None' | ''> = parsed('an IP address or None', (written) =>
  written === 'None' || written === '' ? written : parseIp(written),
)

const domainName: Shape<string> = parsed('a domain name such as db.example.com', (written) => {
  const name = written.endsWith('.') ? written.slice(0, -1) : written
  if (!isDnsSubdomain(name)) throw new RangeError('not a domain name')
  return name
})

const ipFamily: Shape<IpFamily> = oneOf('IPv4', 'IPv6')

interface WrittenSpec extends Omit<ServiceSpec, 'clusterIP' | 'clusterIPs'> {
  readonly clusterIP?: Ip | 'None' | ''
  readonly clusterIPs: readonly (Ip | 'None' | '')[]
}

const serviceSpec: Shape<ServiceSpec> = mapped(
  checked(
    object<WrittenSpec>(
      {
        type: fallback('ClusterIP', oneOf('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName')),
        selector: optional(labels),
        clusterIP: optional(clusterIp),
        clusterIPs: fallback([], list(clusterIp, { max: 2 })),
        ipFamilies: fallback([], list(ipFamily, { max: 2 })),
        ipFamilyPolicy: fallback('SingleStack', oneOf('SingleStack', 'PreferDualStack', 'RequireDualStack')),
        ports: fallback([], list(servicePort)),
        externalName: optional(domainName),
        publishNotReadyAddresses: fallback(false, boolean),
        sessionAffinity: fallback('None', oneOf('None', 'ClientIP')),
        internalTrafficPolicy: fallback('Cluster', oneOf('Cluster', 'Local')),
      },
      {
        unsupported: [
          'allocateLoadBalancerNodePorts',
          'externalIPs',
          'externalTrafficPolicy',
          'healthCheckNodePort',
          'loadBalancerClass',
          'loadBalancerIP',
          'loadBalancerSourceRanges',
          'sessionAffinityConfig',
          'trafficDistribution',
        ],
      },
    ),
    checkService,
  ),
  keptSpec,
)

export const service = (namespace: string): Shape<Service> =>
  object<Service>(
    {
      apiVersion: required(oneOf('v1')),
      kind: required(oneOf('Service')),
      metadata: required(
        namespacedMeta(text('1 to 63 of a-z, 0-9 and "-", starting with a letter', isServiceName), namespace),
      ),
      spec: required(serviceSpec),
    },
    { ignored: ['status'] },
  )

function checkService(spec: WrittenSpec, complain: Complain): void {
  const { type, ports, clusterIP, clusterIPs } = spec
  const headless = clusterIP === 'None' || clusterIPs[0] === 'None'
  if (type === 'ExternalName') {
    if (spec.externalName === undefined)
      complain(['externalName'], 'missing; expected a domain name', 'KUBE_MISSING')
    if (clusterIP) complain(['clusterIP'], 'expected nothing for type ExternalName')
  } else if (ports.length === 0 && !headless) {
    complain(['ports'], 'missing; expected at least one port', 'KUBE_MISSING')
  }
  if (type === 'NodePort' || type === 'LoadBalancer') {
    const reason = `${type} is not implemented; the service is reachable inside the cluster only, as a ClusterIP`
    complain.warn(['type'], reason, 'KUBE_UNSUPPORTED_FIELD')
    if (headless) complain(['clusterIP'], `expected an address for type ${type}`)
  }
  if (clusterIP && clusterIPs.length > 0 && clusterIPs[0] !== clusterIP) {
    complain(['clusterIPs', 0], `expected ${clusterIP}, the same as clusterIP`)
  }
  checkFamilies(spec, complain)
  checkPorts(ports, complain)
}

function checkFamilies({ clusterIP, clusterIPs, ipFamilies }: WrittenSpec, complain: Complain): void {
  const addresses = (clusterIPs.length > 0 ? clusterIPs : [clusterIP]).filter(isAddress)
  const families = addresses.map(familyName)
  if (families.length === 2 && families[0] === families[1]) {
    complain(['clusterIPs', 1], `expected an address of the other family than ${addresses[0]}`)
  }
  if (ipFamilies.length === 2 && ipFamilies[0] === ipFamilies[1]) {
    complain(['ipFamilies', 1], `expected the other family than ${ipFamilies[0]}`)
  }
  for (const [index, family] of families.entries()) {
    const wanted = ipFamilies[index]
    if (wanted !== undefined && wanted !== family)
      complain(['ipFamilies', index], `expected ${family}, as the address is`)
  }
}

function checkPorts(ports: readonly ServicePort[], complain: Complain): void {
  const names = new Set<string>()
  const claimed = new Set<string>()
  for (const [index, { name, port, protocol }] of ports.entries()) {
    if (name === undefined && ports.length > 1) {
      complain(['ports', index, 'name'], 'missing; each of several ports needs a name', 'KUBE_MISSING')
    }
    if (name !== undefined && names.has(name))
      complain(['ports', index, 'name'], `another port is called ${name} already`)
    if (name !== undefined) names.add(name)
    const claim = `${port}/${protocol}`
    if (claimed.has(claim)) complain(['ports', index, 'port'], `another port is ${claim} already`)
    claimed.add(claim)
  }
}

function keptSpec({ clusterIP, clusterIPs, ...rest }: WrittenSpec): ServiceSpec {
  const written = clusterIPs.length > 0 ? clusterIPs : [clusterIP]
  const addresses = written.filter(isAddress)
  const first = written[0] === 'None' ? 'None' : addresses[0]
  return { ...rest, ...(first === undefined ? {} : { clusterIP: first }), clusterIPs: addresses }
}

function isAddress(written: Ip | 'None' | '' | undefined): written is Ip {
  return written !== undefined && written !== 'None' && written !== ''
}

function familyName(address: Ip): IpFamily {
  return familyOf(address) === 4 ? 'IPv4' : 'IPv6'
}
