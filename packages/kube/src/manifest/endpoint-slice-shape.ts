import { familyOf } from '@podfabric/netaddr'
import type { Endpoint, EndpointPort, EndpointSlice, ObjectReference } from '../endpoint-slice.ts'
import { dnsLabel, dnsSubdomain, namespacedMeta } from './metadata-shape.ts'
import { ipAddress, portNumber, protocol } from './pod-shape.ts'
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
  required,
  type Shape,
  text,
} from './shape.ts'

interface WrittenConditions {
  readonly ready: boolean
  readonly serving?: boolean
  readonly terminating: boolean
}

/** Absent conditions read as Kubernetes says: ready, and serving whenever it is ready. */
const conditions: Shape<Endpoint['conditions']> = mapped(
  object<WrittenConditions>({
    ready: fallback(true, boolean),
    serving: optional(boolean),
    terminating: fallback(false, boolean),
  }),
  ({ ready, serving = ready, terminating }) => ({ ready, serving, terminating }),
)

const objectReference = (namespace: string) =>
  object<ObjectReference>(
    {
      kind: required(text()),
      name: required(text()),
      namespace: fallback(namespace, text()),
      uid: optional(text()),
    },
    { ignored: ['apiVersion', 'fieldPath', 'resourceVersion'] },
  )

const endpoint = (namespace: string) =>
  object<Endpoint>(
    {
      addresses: required(list(ipAddress, { min: 1 })),
      conditions: fallback({ ready: true, serving: true, terminating: false }, conditions),
      hostname: optional(dnsLabel),
      nodeName: optional(dnsSubdomain),
      zone: optional(text()),
      targetRef: optional(objectReference(namespace)),
    },
    { unsupported: ['hints', 'deprecatedTopology'] },
  )

const endpointPort = object<EndpointPort>({
  name: fallback('', text()),
  protocol: fallback('TCP', protocol),
  port: required(portNumber),
  appProtocol: optional(text()),
})

export const endpointSlice = (namespace: string): Shape<EndpointSlice> =>
  checked(
    object<EndpointSlice>({
      apiVersion: required(oneOf('discovery.k8s.io/v1')),
      kind: required(oneOf('EndpointSlice')),
      metadata: required(namespacedMeta(dnsSubdomain, namespace)),
      addressType: required(oneOf('IPv4', 'IPv6')),
      endpoints: fallback([], list(endpoint(namespace))),
      ports: fallback([], list(endpointPort)),
    }),
    checkAddresses,
  )

function checkAddresses({ addressType, endpoints }: EndpointSlice, complain: Complain): void {
  const family = addressType === 'IPv4' ? 4 : 6
  for (const [index, { addresses }] of endpoints.entries()) {
    for (const [number, address] of addresses.entries()) {
      if (familyOf(address) === family) continue
      complain(
        ['endpoints', index, 'addresses', number],
        `expected an ${addressType} address, as addressType says`,
      )
    }
  }
}
