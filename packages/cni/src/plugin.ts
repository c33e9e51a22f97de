import type { Clock, Kernel } from '@podfabric/kernel'
import type { Store } from '@podfabric/store'
import type { Capability, PluginConfig } from './config.ts'
import type { Controller } from './controller.ts'
import type { Delegate } from './delegate.ts'
import type { NodeLocks } from './node-locks.ts'
import type {
  AddRequest,
  CheckRequest,
  DelRequest,
  GcRequest,
  RebuildRequest,
  StatusRequest,
} from './request.ts'
import type { AddResult } from './result.ts'
import type { CniVersion } from './version.ts'

/**
 * What a plugin package exports as its default: a function of what the plugin needs.
 * It is called once for each network, does nothing yet, and must not fail.
 */
export type PluginFactory<Config = unknown> = (context: PluginContext) => Plugin<Config>

/** Everything that a plugin may touch. */
export interface PluginContext {
  readonly kernel: Kernel
  /** Keys are the network's own: no other network sees them. Shared by all nodes of the network. */
  readonly store: Store
  readonly clock: Clock
  /** A number from 0 (included) to 1 (excluded). */
  readonly random: () => number
  readonly log: Log
  readonly node: { readonly name: string }
  /** Names are the network's own, as the store's keys. Missing: no other process hosts plugins on this node. */
  readonly locks?: NodeLocks
  /**
   * Another plugin by its `type`, as IPAM is called (SPEC 1.1.0, section 4). Where plugins run in the
   * process it is called there; an executable finds it on CNI_PATH.
   * Calling one that is not there fails with CNI_INVALID_NETWORK_CONFIG.
   */
  delegate(type: string): Delegate
}

/** One network, on one node. Verbs return values; nothing but the process edge reads or prints. */
export interface Plugin<Config = unknown> {
  /** `type` of its configuration and name of its executable. */
  readonly type: string
  /** Versions of the specification that it serves. */
  readonly versions: readonly CniVersion[]
  /** The IPAM plugin that is meant by an `ipam` which names none. Missing: `ipam.type` is required. */
  readonly ipamType?: string
  /** What it claims beyond ADD, CHECK and DEL; a runtime passes `runtimeConfig` for no others. */
  readonly capabilities?: readonly Capability[]
  /** A configuration that works as it stands: the first one a reader tries. */
  readonly example: PluginConfig
  /** Reads the plugin's own keys. Throws CNI_INVALID_NETWORK_CONFIG or CNI_UNSUPPORTED_FIELD, naming the key. */
  parse(config: PluginConfig): Config
  /** Attaches one interface. When it fails, it leaves nothing behind. */
  add(request: AddRequest<Config>): Promise<AddResult>
  /** Fails when something that ADD made is not as ADD left it. Changes nothing. */
  check(request: CheckRequest<Config>): Promise<void>
  /** Detaches. Succeeds when there is nothing left to detach, whatever else is gone. */
  del(request: DelRequest<Config>): Promise<void>
  /** Removes what belongs to none of the request's valid attachments. Missing: the plugin never leaves anything. */
  gc?(request: GcRequest<Config>): Promise<void>
  /** Fails with CNI_NOT_AVAILABLE (50) or CNI_LIMITED_CONNECTIVITY (51) when ADD would not be served. Missing: always ready. */
  status?(request: StatusRequest<Config>): Promise<void>
  /**
   * Writes anew into the store what the plugin keeps there of attachments that live: the store is fresh, or was damaged, and knows
   * nothing of them. Called before the first other verb of the network on such a node but STATUS, and again when it failed. What is
   * recorded already stays as it is. Missing: the plugin keeps nothing that it needs.
   */
  rebuild?(request: RebuildRequest<Config>): Promise<void>
  /** The node half of a network that needs one running; undefined where this configuration needs none. */
  controller?(config: Config): Controller | undefined
}

/** One line of text and facts; where it goes is the caller's business. */
export interface Log {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void
  info(message: string, facts?: Readonly<Record<string, unknown>>): void
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
  error(message: string, facts?: Readonly<Record<string, unknown>>): void
}
