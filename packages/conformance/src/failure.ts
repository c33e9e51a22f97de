/** The subject does not do what a rule asks. */
export class CaseFailure extends Error {
  override readonly name = 'CaseFailure'
  readonly code = 'CONFORMANCE_FAILED'
  /** A sentence: what a conformant plugin would have done. */
  readonly expected: string
  /** What happened instead, as text. */
  readonly seen: string

  constructor(expected: string, seen: string, options?: ErrorOptions) {
    super(`expected ${expected}; seen: ${seen}`, options)
    this.expected = expected
    this.seen = seen
  }
}

export type ConformanceErrorCode =
  /** The subject's configuration or the options of the run make no sense. */
  | 'CONFORMANCE_BAD_INPUT'
  /** There is no case with this id. */
  | 'CONFORMANCE_UNKNOWN_CASE'

/** The suite cannot begin. Compare `code`. */
export class ConformanceError extends Error {
  override readonly name = 'ConformanceError'
  readonly code: ConformanceErrorCode

  constructor(code: ConformanceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
