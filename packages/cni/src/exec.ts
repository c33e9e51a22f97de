/** What one run of a plugin gave. */
export interface ExecOutcome {
  readonly stdout: string
  /** Free text; kept for messages. */
  readonly stderr: string
  readonly exitCode: number
}

/**
 * Runs plugins: in the process (`inProcess` of `@podfabric/cni/runtime`), or as executables
 * (`@podfabric/agent/exec`). The same octets go in and come out either way.
 */
export interface Exec {
  /**
   * Runs the plugin named `type` once. `env` holds the call's variables only; CNI_PATH says where to look. `stdin` is one
   * JSON document. Rejects with CNI_INVALID_NETWORK_CONFIG when there is no such plugin, CNI_IO_FAILURE when it cannot be
   * run, and the signal's reason when that is aborted. A plugin that failed is an outcome, not a rejection.
   */
  run(
    type: string,
    env: Readonly<Record<string, string>>,
    stdin: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<ExecOutcome>
}
