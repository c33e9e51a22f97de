import type { Store } from '@podfabric/store'
import type { NetworkList } from '../config.ts'
import type { Exec } from '../exec.ts'
import type { JsonObject } from '../json.ts'
import type { Log } from '../plugin.ts'
import type { AttachmentId } from '../request.ts'
import type { AddResult } from '../result.ts'
import type { TraceContext } from '../trace-context.ts'
import type { CniVersion } from '../version.ts'
import type { CachedAttachment } from './result-cache.ts'

export interface CniRuntimeOptions {
  readonly exec: Exec
  /** This runtime's own; holds what is attached, under `results/`. */
  readonly store: Store
  readonly log: Log
  /** CNI_PATH. Default: empty, for plugins in the process. */
  readonly path?: readonly string[]
}

/** One interface of one container in one network. */
export interface RuntimeAttachment extends AttachmentId {
  /** CNI_NETNS. */
  readonly netns: string
  /** CNI_ARGS. */
  readonly args?: Readonly<Record<string, string>>
  /** Data for capabilities, by their names: `{ portMappings: […] }`. */
  readonly capabilityArgs?: JsonObject
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  readonly trace?: TraceContext
}

/**
 * The runtime's side of the contract (SPEC 1.1.0, section 3), for network lists: one call at a time for each container, GC
 * alone. Errors are `CniError`s that name plugin and verb, with the plugin's number.
 */
export interface CniRuntime {
  /**
   * Calls every plugin in order; the result is the last one's. Stops at the first failure: then `del` is due, which
   * `addOrUndo` does by itself. ADD again without DEL is refused with CNI_INTERFACE_EXISTS.
   */
  add(network: NetworkList, attachment: RuntimeAttachment, options?: CallOptions): Promise<AddResult>
  /** `add`; when it fails, `del` of the whole list, and then ADD's error. A DEL that fails too is in its details. */
  addOrUndo(network: NetworkList, attachment: RuntimeAttachment, options?: CallOptions): Promise<AddResult>
  /**
   * Fails with CNI_UNKNOWN_CONTAINER for what was not added here, CNI_INCOMPATIBLE_VERSION below 0.4.0. Succeeds without a call
   * where the list says `disableCheck`. Uses the parameters of the ADD.
   */
  check(network: NetworkList, attachment: AttachmentId, options?: CallOptions): Promise<void>
  /**
   * Calls every plugin in reverse, with the final result of ADD if it is known; stops at the first failure, and may be repeated.
   * What `attachment` leaves out is as it was at ADD; `netns: ''` says that the namespace is gone.
   */
  del(
    network: NetworkList,
    attachment: AttachmentId & Partial<RuntimeAttachment>,
    options?: CallOptions,
  ): Promise<void>
  /**
   * DEL for every attachment of the network that is remembered but not valid, then GC of every plugin (from 1.1.0 on). Goes on
   * past failures and throws them as one. Does nothing where the list says `disableGC`.
   */
  gc(network: NetworkList, valid: readonly AttachmentId[], options?: CallOptions): Promise<void>
  /** STATUS of every plugin in order, up to the first failure. Below 1.1.0 there is nothing to ask. */
  status(network: NetworkList, options?: CallOptions): Promise<void>
  /** The versions that a plugin serves. */
  version(type: string, options?: CallOptions): Promise<readonly CniVersion[]>
  /** Throws unless every plugin of the list is there and serves its version. */
  validate(network: NetworkList, options?: CallOptions): Promise<void>
  /** What is remembered as attached, or begun, in a network. */
  attachments(network: string): Promise<readonly CachedAttachment[]>
}
