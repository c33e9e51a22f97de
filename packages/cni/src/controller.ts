/**
 * The node half of a network: it watches the store and the kernel, and keeps its node's tables right by
 * comparing what should be there with what is, so that a restart, a lost event or somebody's
 * `ip route del` heals, and traffic never stops meanwhile.
 */
export interface Controller {
  /** Resolves once the node is in order for the first time. Rejects when it cannot be; nothing runs then. */
  start(): Promise<void>
  /** Stops watching. The data path stays as it is. */
  stop(): Promise<void>
  status(): ControllerStatus
}

export interface ControllerStatus {
  /** Whether the node's tables were right when last compared. */
  readonly ready: boolean
  /** One sentence for people: what it waits for, or what it keeps. */
  readonly message: string
}
