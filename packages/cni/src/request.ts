import type { PluginConfig } from './config.ts'
import type { FoundAttachment } from './found-attachment.ts'
import type { AddResult } from './result.ts'
import type { TraceContext } from './trace-context.ts'

/** What every verb gets. */
export interface Request<Config = unknown> {
  /** What `parse` made of `source`. */
  readonly config: Config
  /** The plugin's configuration as the runtime sent it, unknown keys included: what a delegate is given. */
  readonly source: PluginConfig
  /** CNI_PATH: folders to find delegates in. Empty where plugins run in the process. */
  readonly path: readonly string[]
  /** Aborted when the caller has given up; what was begun is undone then. */
  readonly signal: AbortSignal
  readonly trace?: TraceContext
}

/** What the verbs of one attachment get. */
export interface AttachmentRequest<Config = unknown> extends Request<Config> {
  /** CNI_CONTAINERID: `[A-Za-z0-9][A-Za-z0-9_.-]*`, checked. */
  readonly containerId: string
  /** CNI_IFNAME: 1 to 15 octets, checked. */
  readonly ifName: string
  /** CNI_ARGS. */
  readonly args: Readonly<Record<string, string>>
}

export interface AddRequest<Config = unknown> extends AttachmentRequest<Config> {
  /** CNI_NETNS. */
  readonly netns: string
  /** The result of the plugin before, in a list. */
  readonly prevResult?: AddResult
}

export interface CheckRequest<Config = unknown> extends AttachmentRequest<Config> {
  readonly netns: string
  readonly prevResult: AddResult
}

export interface DelRequest<Config = unknown> extends AttachmentRequest<Config> {
  /** Missing when the namespace is gone already. */
  readonly netns?: string
  /** The final result of ADD; missing when the runtime has lost it. */
  readonly prevResult?: AddResult
}

export interface GcRequest<Config = unknown> extends Request<Config> {
  /** What is still in use on this node (`cni.dev/valid-attachments`). */
  readonly validAttachments: readonly AttachmentId[]
}

export interface RebuildRequest<Config = unknown> extends Request<Config> {
  /** What of this network lives on this node. */
  readonly found: readonly FoundAttachment[]
}

export type StatusRequest<Config = unknown> = Request<Config>

/** SPEC 1.1.0: an attachment is known by its container and interface name. */
export interface AttachmentId {
  readonly containerId: string
  readonly ifName: string
}
