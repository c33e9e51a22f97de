/**
 * Exit codes: 1, what was asked for was tried and did not succeed (a ping was lost); 2, it was asked for wrongly (a manifest, an
 * address, a command line) and nothing was done; 3, no cluster is up to ask.
 */
export const exitCodes = { failed: 1, usage: 2, noCluster: 3 } as const

/** A command ends. The message is for people and says what to do. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly exitCode: (typeof exitCodes)[keyof typeof exitCodes]

  constructor(reason: keyof typeof exitCodes, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCodes[reason]
  }
}

/** Any error as the lines a person reads: its message, then what was behind it, without stacks. */
export function explain(error: unknown): readonly string[] {
  if (error instanceof AggregateError)
    return [error.message, ...error.errors.flatMap(explain).map((line) => `  ${line}`)]
  if (!(error instanceof Error)) return [String(error)]
  const details = 'details' in error && typeof error.details === 'string' ? [`  ${error.details}`] : []
  return [error.message, ...details]
}

/** The codes that say that the asker, not the cluster, is at fault. */
const usageCodes = [
  /^KUBE_/,
  /^ADDRESS_/,
  /^TRACE_INVALID/,
  /^CLUSTER_(NOT_FOUND|INVALID|EXISTS)$/,
  /^CNI_INVALID_NETWORK_CONFIG$/,
  /^WIRE_/,
  /^DNS_NAME$/,
]

export function exitCodeOf(error: unknown): number {
  if (error instanceof Failure) return error.exitCode
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return usageCodes.some((pattern) => pattern.test(code)) ? exitCodes.usage : exitCodes.failed
}
