import type { Ip } from '@podfabric/netaddr'
import type { Condition, Labels, NamespacedMeta, TemplateMeta } from './object-meta.ts'
import type { Probe } from './probe.ts'

export type Protocol = 'TCP' | 'UDP' | 'SCTP'

export interface ContainerPort {
  /** A name for `targetPort` and probes, unique in its pod. */
  readonly name?: string
  readonly containerPort: number
  readonly protocol: Protocol
  readonly hostPort?: number
  readonly hostIP?: Ip
}

/** A variable whose value is written down. `$(OTHER)` in it stands as it is. */
export interface EnvVar {
  readonly name: string
  readonly value: string
}

/** The part of a container that the network sees, and the program in it; volumes and CPU or memory requests are read past. */
export interface Container {
  readonly name: string
  readonly image?: string
  /** The program and its first words; absent where it is the image's own. */
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly EnvVar[]
  /** Absolute. */
  readonly workingDir?: string
  readonly ports: readonly ContainerPort[]
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
  readonly startupProbe?: Probe
}

/** An init container; with `restartPolicy: Always` it is a sidecar and keeps running beside the containers. */
export interface InitContainer extends Container {
  readonly restartPolicy?: 'Always'
}

export type DnsPolicy = 'ClusterFirst' | 'ClusterFirstWithHostNet' | 'Default' | 'None'

/** Added to what `dnsPolicy` gives; the whole of it when the policy is `None`. */
export interface PodDnsConfig {
  /** At most three addresses. */
  readonly nameservers: readonly Ip[]
  readonly searches: readonly string[]
  readonly options: readonly { readonly name: string; readonly value?: string }[]
}

export interface HostAlias {
  readonly ip: Ip
  readonly hostnames: readonly string[]
}

/** A pod's specification with Kubernetes' defaults filled in. */
export interface PodSpec {
  /** At least one. */
  readonly containers: readonly Container[]
  readonly initContainers: readonly InitContainer[]
  /** The pod's own name when absent. */
  readonly hostname?: string
  /** With a headless service of this name: `<hostname>.<subdomain>.<namespace>.svc.<zone>`. */
  readonly subdomain?: string
  readonly nodeName?: string
  readonly nodeSelector: Labels
  readonly hostNetwork: boolean
  readonly hostAliases: readonly HostAlias[]
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  /** 30 by default; 0 ends a pod at once. */
  readonly terminationGracePeriodSeconds: number
  readonly dnsPolicy: DnsPolicy
  readonly dnsConfig?: PodDnsConfig
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'

/** Where a pod stands. `podIP` is the first of `podIPs`: both are absent and empty until the pod has its network. */
export interface PodStatus {
  readonly phase: PodPhase
  readonly podIP?: Ip
  readonly podIPs: readonly { readonly ip: Ip }[]
  readonly hostIP?: Ip
  readonly conditions: readonly Condition[]
  readonly reason?: string
  readonly message?: string
  readonly startTime?: string
}

export interface Pod {
  readonly apiVersion: 'v1'
  readonly kind: 'Pod'
  readonly metadata: NamespacedMeta
  readonly spec: PodSpec
  readonly status?: PodStatus
}

/** What Deployments, ReplicaSets and StatefulSets make pods from. */
export interface PodTemplate {
  readonly metadata: TemplateMeta
  readonly spec: PodSpec
}

/** Whether the pod's `Ready` condition is `True`: then, and only then, it receives a service's traffic. */
export function isReady(pod: Pod): boolean {
  return pod.status?.conditions.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false
}
