export type { Exec, ExecOutcome } from '../exec.ts'
export { type InProcess, type InProcessOptions, inProcess, type NetworkContext } from './in-process.ts'
export type { CachedAttachment } from './result-cache.ts'
export {
  type CallOptions,
  type CniRuntime,
  type CniRuntimeOptions,
  cniRuntime,
  type RuntimeAttachment,
} from './runtime.ts'
