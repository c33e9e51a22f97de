export type TraceErrorCode = 'TRACE_INVALID_FILTER'

/** A filter that cannot be read. Compare `code`. */
export class TraceError extends Error {
  override readonly name = 'TraceError'
  readonly code: TraceErrorCode

  constructor(code: TraceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
