/**
 * CLUSTER_NOT_FOUND: no such object or node. CLUSTER_INVALID: what was asked contradicts what there is; nothing was changed.
 * CLUSTER_EXISTS: there is one already. CLUSTER_NOT_SETTLED: the wished state was not reached in time. CLUSTER_BAD_ANSWER:
 * whoever answered a request does not speak HTTP, broke off, or is no simulated container.
 */
export type ClusterErrorCode =
  | 'CLUSTER_NOT_FOUND'
  | 'CLUSTER_INVALID'
  | 'CLUSTER_EXISTS'
  | 'CLUSTER_NOT_SETTLED'
  | 'CLUSTER_BAD_ANSWER'

/** The cluster refused, or did not get there. Compare `code`. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError'
  readonly code: ClusterErrorCode

  constructor(code: ClusterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
