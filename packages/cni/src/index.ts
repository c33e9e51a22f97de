export type { Capability, IpamConfig, ListedPlugin, NetworkList, PluginConfig } from './config.ts'
export type { Controller, ControllerStatus } from './controller.ts'
export type { Delegate } from './delegate.ts'
export { CniError, type CniErrorCode, cniErrorNumbers } from './error.ts'
export type { Json, JsonObject } from './json.ts'
export type { Log, Plugin, PluginContext, PluginFactory } from './plugin.ts'
export type {
  AddRequest,
  AttachmentId,
  CheckRequest,
  DelRequest,
  GcRequest,
  StatusRequest,
} from './request.ts'
export type { AddResult, ResultDns, ResultInterface, ResultIp, ResultRoute } from './result.ts'
export type { TraceContext } from './trace-context.ts'
export { type CniVersion, cniVersions, isAtLeast, newestCniVersion } from './version.ts'
