import type { AddResult } from '@podfabric/cni'

/** The node's pod network: what a container runtime asks of it. */
export interface PodNetwork {
  /** Joins the sandbox to the network. When it fails, nothing is left behind. */
  attach(sandbox: SandboxId): Promise<AddResult>
  /** Takes the sandbox out again; succeeds when it was never in, or its namespace is gone. */
  detach(sandbox: SandboxId): Promise<void>
}

export interface SandboxId {
  readonly containerId: string
  /** Path of the sandbox's namespace. */
  readonly netns: string
  /** CNI_ARGS. */
  readonly args: Readonly<Record<string, string>>
}
