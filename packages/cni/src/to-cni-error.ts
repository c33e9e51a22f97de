import { CniError, type CniErrorCode } from './error.ts'

/**
 * Any error as the one a runtime is told: a CniError stays as it is, errors of the kernel, the store, address management
 * and addresses are translated by their `code`, and what is none of these is CNI_INTERNAL. Never CNI_UNKNOWN_CONTAINER
 * unless it was thrown as that. `doing` says what failed, and leads the message.
 */
export function toCniError(error: unknown, doing?: string): CniError {
  const prefix = doing === undefined ? '' : `${doing}: `
  if (error instanceof CniError) {
    if (doing === undefined) return error
    const { code, number, details } = error
    return new CniError(code, prefix + error.message, { cause: error, number, details })
  }
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  return new CniError(translate(code, error), prefix + message, {
    cause: error,
    details: code === undefined ? undefined : `code ${code}`,
  })
}

/**
 * The error as it may be told once something was applied: CNI_UNKNOWN_CONTAINER would make the runtime skip the DEL that
 * is needed now, so it becomes CNI_INTERNAL.
 */
export function onceApplied(error: CniError): CniError {
  if (error.number !== 3) return error
  return new CniError('CNI_INTERNAL', error.message, { cause: error, details: error.details })
}

/** The string `code` of an error, whatever its class. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

function translate(code: string | undefined, error: unknown): CniErrorCode {
  if (code === undefined) return isAbort(error) ? 'CNI_TRY_AGAIN_LATER' : 'CNI_INTERNAL'
  const known = translations[code]
  if (known !== undefined) return known
  if (code.startsWith('ADDRESS_')) return 'CNI_INVALID_NETWORK_CONFIG'
  if (code.startsWith('STORE_')) return 'CNI_IO_FAILURE'
  if (/^E[A-Z0-9]+$/.test(code)) return 'CNI_KERNEL'
  return 'CNI_INTERNAL'
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')
}

const translations: Readonly<Record<string, CniErrorCode>> = {
  EAGAIN: 'CNI_TRY_AGAIN_LATER',
  EBUSY: 'CNI_TRY_AGAIN_LATER',
  ENOBUFS: 'CNI_TRY_AGAIN_LATER',
  ETIMEDOUT: 'CNI_TRY_AGAIN_LATER',
  IPAM_EXHAUSTED: 'CNI_ADDRESSES_EXHAUSTED',
  IPAM_OUT_OF_SUBNETS: 'CNI_ADDRESSES_EXHAUSTED',
  IPAM_ADDRESS_IN_USE: 'CNI_ADDRESS_IN_USE',
  IPAM_OWNER_CONFLICT: 'CNI_ADDRESS_IN_USE',
  IPAM_OUT_OF_RANGE: 'CNI_INVALID_NETWORK_CONFIG',
  IPAM_INVALID_POOL: 'CNI_INVALID_NETWORK_CONFIG',
  IPAM_INVALID_OWNER: 'CNI_INVALID_ENVIRONMENT',
  STORE_CONFLICT: 'CNI_TRY_AGAIN_LATER',
  STORE_LEASE_LOST: 'CNI_TRY_AGAIN_LATER',
  STORE_UNAVAILABLE: 'CNI_TRY_AGAIN_LATER',
  STORE_INVALID_KEY: 'CNI_INTERNAL',
  STORE_INVALID_VALUE: 'CNI_INTERNAL',
  STORE_INVALID_TRANSACTION: 'CNI_INTERNAL',
}
