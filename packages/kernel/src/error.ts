/** The errno names that a kernel of ours reports. Each kernel reports the name Linux would. */
export type Errno =
  | 'EACCES'
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EAFNOSUPPORT'
  | 'EAGAIN'
  | 'EBADF'
  | 'EBUSY'
  | 'ECONNABORTED'
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'EDESTADDRREQ'
  | 'EEXIST'
  | 'EHOSTUNREACH'
  | 'EINVAL'
  | 'EIO'
  | 'ELOOP'
  | 'EMFILE'
  | 'EMSGSIZE'
  | 'ENETDOWN'
  | 'ENETUNREACH'
  | 'ENFILE'
  | 'ENOBUFS'
  | 'ENODEV'
  | 'ENOENT'
  | 'ENOMEM'
  | 'ENOSPC'
  | 'ENOSYS'
  | 'ENOTCONN'
  | 'ENOTEMPTY'
  | 'ENXIO'
  | 'EOPNOTSUPP'
  | 'EPERM'
  | 'EPIPE'
  | 'EPROTO'
  | 'EPROTONOSUPPORT'
  | 'ERANGE'
  | 'EROFS'
  | 'ESRCH'
  | 'ETIMEDOUT'
  | 'EXFULL'

/**
 * A kernel refused an operation, or a socket failed. Compare `code`.
 * The message reads `<operation>: <reason>`, the operation as the command a person would have typed.
 */
export class KernelError extends Error {
  override readonly name = 'KernelError'
  readonly code: Errno
  /** The refused operation, as `ip`, `bridge`, `nft` or the socket call's name and object. */
  readonly operation: string

  constructor(code: Errno, operation: string, reason: string, options?: ErrorOptions) {
    super(`${operation}: ${reason} (${code})`, options)
    this.code = code
    this.operation = operation
  }
}
