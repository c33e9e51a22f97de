export { type Answer, answeringWorkload } from './answering-workload.ts'
export type { Applied } from './apply.ts'
export {
  type Cluster,
  type ClusterOptions,
  cluster,
  type JoiningNode,
  type ObjectName,
  type RunningPod,
} from './cluster.ts'
export { ClusterError, type ClusterErrorCode } from './cluster-error.ts'
export type { ClusterNode } from './cluster-node.ts'
export { hasCondition } from './conditions.ts'
export { askWorkload, type HttpGetOptions, type HttpResponse, httpGet } from './http-client.ts'
export type { Kubelet } from './kubelet.ts'
export type { NodeTimes } from './node-lifecycle.ts'
export { type ObjectChange, type ObjectTable, objectTable } from './object-table.ts'
export { isFinished, isTerminating } from './owned.ts'
export type { PodNetwork, SandboxId } from './pod-network.ts'
export type { Sandbox } from './sandbox.ts'
export type { SettledOptions } from './settled.ts'
export type { Workload, WorkloadContext, WorkloadFactory } from './workload.ts'
