import { parsePrefix } from '@podfabric/netaddr'
import type { Namespace } from '../namespace.ts'
import type { Node, NodeSpec, Taint } from '../node.ts'
import { dnsLabel, dnsSubdomain, objectMeta } from './metadata-shape.ts'
import {
  boolean,
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

const prefix = parsed('a prefix such as 10.244.1.0/24, without host bits', parsePrefix)

const taint = object<Taint>(
  {
    key: required(text()),
    value: fallback('', text()),
    effect: required(oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute')),
  },
  { ignored: ['timeAdded'] },
)

const nodeSpec: Shape<NodeSpec> = mapped(
  object<NodeSpec>(
    {
      podCIDR: optional(prefix),
      podCIDRs: fallback([], list(prefix, { max: 2 })),
      unschedulable: fallback(false, boolean),
      taints: fallback([], list(taint)),
    },
    { ignored: ['providerID', 'configSource', 'externalID'] },
  ),
  (spec) => {
    const podCIDRs = spec.podCIDRs.length === 0 && spec.podCIDR !== undefined ? [spec.podCIDR] : spec.podCIDRs
    const first = podCIDRs[0]
    return { ...spec, podCIDRs, ...(first === undefined ? {} : { podCIDR: first }) }
  },
)

export const node: Shape<Node> = object<Omit<Node, 'status'>>(
  {
    apiVersion: required(oneOf('v1')),
    kind: required(oneOf('Node')),
    metadata: required(objectMeta(dnsSubdomain)),
    spec: fallback({ podCIDRs: [], unschedulable: false, taints: [] }, nodeSpec),
  },
  { ignored: ['status'] },
)

export const namespaceObject: Shape<Namespace> = object<Namespace>(
  {
    apiVersion: required(oneOf('v1')),
    kind: required(oneOf('Namespace')),
    metadata: required(objectMeta(dnsLabel)),
  },
  { ignored: ['spec', 'status'] },
)
