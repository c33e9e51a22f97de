export type { Clock, Kernel, Namespace, Netns } from '@podfabric/kernel'
export type { IfAddress, Ip, Mac, Prefix } from '@podfabric/netaddr'
export type { Store } from '@podfabric/store'
export { formatArgs, parseArgs } from './args.ts'
export {
  type AddOptions,
  type AttachmentPlan,
  type Attachments,
  type AttachmentsOptions,
  attachmentsOf,
  type Resource,
  type ResourceList,
  together,
} from './attachment.ts'
export { type Call, type Command, type Environment, formatCall, parseCall } from './call.ts'
export type { Capability, IpamConfig, ListedPlugin, NetworkList, PluginConfig } from './config.ts'
export { ifAddressSchema, ipSchema, macSchema, prefixSchema } from './config-schema.ts'
export type { Controller, ControllerStatus } from './controller.ts'
export type { Delegate } from './delegate.ts'
export { CniError, type CniErrorCode, type CniErrorOptions, cniErrorNumbers } from './error.ts'
export { formatError, parseError } from './error-object.ts'
export type { Exec, ExecOutcome } from './exec.ts'
export { execDelegate } from './exec-delegate.ts'
export { formatResult } from './format-result.ts'
export type { FoundAttachment } from './found-attachment.ts'
export { parseContainerId, parseIfName, parseNetworkName, parsePluginType } from './identifiers.ts'
export type { Intent } from './intent.ts'
export { type IpamResource, ipamResource } from './ipam-resource.ts'
export type { Json, JsonObject } from './json.ts'
export { linkName } from './link-name.ts'
export { KeyedMutex } from './locks.ts'
export { mergeResults } from './merge-results.ts'
export { type NetworkListOptions, parseNetworkList } from './network-list.ts'
export { type LockOptions, locksUnder, type NodeLocks, processLocks } from './node-locks.ts'
export { parseConfig, refuseKeys } from './parse-config.ts'
export {
  isJsonObject,
  isRawNumber,
  type JsonLimits,
  type ParseJsonOptions,
  parseJson,
} from './parse-json.ts'
export { type ParsedResult, type ParseResultOptions, parseResult } from './parse-result.ts'
export type { Log, Plugin, PluginContext, PluginFactory } from './plugin.ts'
export { type ConfigReader, parsePluginConfig } from './plugin-config.ts'
export type {
  AddRequest,
  AttachmentId,
  AttachmentRequest,
  CheckRequest,
  DelRequest,
  GcRequest,
  RebuildRequest,
  Request,
  StatusRequest,
} from './request.ts'
export type { AddResult, ResultDns, ResultInterface, ResultIp, ResultRoute } from './result.ts'
export { findSandbox, hasInterface, inSandbox, inSandboxIfAny, onNode, openSandbox } from './sandbox.ts'
export { codeOf, onceApplied, toCniError } from './to-cni-error.ts'
export type { TraceContext } from './trace-context.ts'
export { type CniVersion, cniVersions, isAtLeast, isCniVersion, newestCniVersion } from './version.ts'
