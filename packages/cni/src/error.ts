/** SPEC 1.1.0, "Error": our codes and the numbers a runtime sees. */
export const cniErrorNumbers = {
  CNI_INCOMPATIBLE_VERSION: 1,
  CNI_UNSUPPORTED_FIELD: 2,
  /** Tells the runtime that no DEL is needed: never once something was applied. */
  CNI_UNKNOWN_CONTAINER: 3,
  CNI_INVALID_ENVIRONMENT: 4,
  CNI_IO_FAILURE: 5,
  CNI_DECODING_FAILURE: 6,
  CNI_INVALID_NETWORK_CONFIG: 7,
  CNI_TRY_AGAIN_LATER: 11,
  CNI_NOT_AVAILABLE: 50,
  CNI_LIMITED_CONNECTIVITY: 51,
  /** From 100 on numbers are the plugin's own; these are ours. */
  CNI_INTERNAL: 100,
  CNI_ADDRESSES_EXHAUSTED: 101,
  CNI_ADDRESS_IN_USE: 102,
  CNI_INTERFACE_EXISTS: 103,
  CNI_CHECK_FAILED: 104,
  CNI_KERNEL: 105,
  /** A plugin that was called failed with a number that is not in this table; `number` has it. */
  CNI_PLUGIN_FAILED: 106,
} as const

export type CniErrorCode = keyof typeof cniErrorNumbers

export interface CniErrorOptions extends ErrorOptions {
  /** The rest of the story, for `details`: what was found, what to do. */
  readonly details?: string | undefined
  /** The number that a called plugin gave. Default: the code's own. */
  readonly number?: number | undefined
}

/** A plugin or runtime failed. Compare `code`; a runtime sees `number`, `message` and `details`. */
export class CniError extends Error {
  override readonly name = 'CniError'
  readonly code: CniErrorCode
  readonly number: number
  readonly details: string | undefined

  constructor(code: CniErrorCode, message: string, options?: CniErrorOptions) {
    super(message, options)
    this.code = code
    this.number = options?.number ?? cniErrorNumbers[code]
    this.details = options?.details
  }
}
