export type {
  Deployment,
  DeploymentSpec,
  DeploymentStatus,
  IntOrPercent,
  Recreate,
  RollingUpdate,
} from './deployment.ts'
export { podCount } from './deployment.ts'
export type {
  Endpoint,
  EndpointConditions,
  EndpointPort,
  EndpointSlice,
  ObjectReference,
} from './endpoint-slice.ts'
export { serviceNameLabel, serviceNameOf } from './endpoint-slice.ts'
export type { KubeErrorCode, ManifestWarning, ManifestWarningCode, Source } from './kube-error.ts'
export { KubeError } from './kube-error.ts'
export { formatYaml } from './manifest/format-yaml.ts'
export type { ManifestObject, Manifests, ReadOptions } from './manifest/manifests.ts'
export { readManifests } from './manifest/manifests.ts'
export { isDnsLabel, isDnsSubdomain, isLabelKey, isLabelValue, isPortName, isServiceName } from './names.ts'
export type { Namespace } from './namespace.ts'
export type { Node, NodeAddress, NodeSpec, NodeStatus, Taint } from './node.ts'
export type { Kind, KubeObject, ObjectOf } from './object.ts'
export { objectKey } from './object.ts'
export type {
  Condition,
  Labels,
  NamespacedMeta,
  ObjectMeta,
  OwnerReference,
  TemplateMeta,
} from './object-meta.ts'
export type {
  Container,
  ContainerPort,
  DnsPolicy,
  EnvVar,
  HostAlias,
  InitContainer,
  Pod,
  PodDnsConfig,
  PodPhase,
  PodSpec,
  PodStatus,
  PodTemplate,
  Protocol,
} from './pod.ts'
export { isReady } from './pod.ts'
export type {
  ExecAction,
  GrpcAction,
  HttpGetAction,
  PortReference,
  Probe,
  ProbeTiming,
  TcpSocketAction,
} from './probe.ts'
export type { ReplicaSet, ReplicaSetSpec, ReplicaSetStatus } from './replica-set.ts'
export type { LabelRequirement, LabelSelector } from './selector.ts'
export { matches, matchesLabels } from './selector.ts'
export type { IpFamily, Service, ServicePort, ServiceSpec } from './service.ts'
export { isHeadless } from './service.ts'
export type { StatefulSet, StatefulSetSpec, StatefulSetStatus } from './stateful-set.ts'
