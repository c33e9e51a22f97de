import { type Errno, KernelError } from '@podfabric/kernel'

/** Linux' numbers (the generic table: x64 and arm64 share it), and what each means in words. */
const table: readonly (readonly [number, Errno, string])[] = [
  [1, 'EPERM', 'not permitted'],
  [2, 'ENOENT', 'no such entry'],
  [3, 'ESRCH', 'no such entry'],
  [5, 'EIO', 'input or output failed'],
  [6, 'ENXIO', 'no such device or address'],
  [9, 'EBADF', 'it is closed'],
  [11, 'EAGAIN', 'not now, try again'],
  [12, 'ENOMEM', 'out of memory'],
  [13, 'EACCES', 'access denied'],
  [16, 'EBUSY', 'it is in use'],
  [17, 'EEXIST', 'it exists already'],
  [19, 'ENODEV', 'no such link'],
  [22, 'EINVAL', 'invalid argument'],
  [23, 'ENFILE', 'too many open files on this machine'],
  [24, 'EMFILE', 'too many open files in this process'],
  [28, 'ENOSPC', 'no space left'],
  [30, 'EROFS', 'read-only file system'],
  [32, 'EPIPE', 'the other side does not read any more'],
  [34, 'ERANGE', 'out of range'],
  [38, 'ENOSYS', 'this kernel has no such call'],
  [39, 'ENOTEMPTY', 'it overlaps with what is there'],
  [40, 'ELOOP', 'a loop of links'],
  [54, 'EXFULL', 'full'],
  [71, 'EPROTO', 'protocol error'],
  [89, 'EDESTADDRREQ', 'a destination is needed'],
  [90, 'EMSGSIZE', 'message too long'],
  [93, 'EPROTONOSUPPORT', 'this kernel has no such protocol'],
  [95, 'EOPNOTSUPP', 'not supported'],
  [97, 'EAFNOSUPPORT', 'address family not supported'],
  [98, 'EADDRINUSE', 'address in use'],
  [99, 'EADDRNOTAVAIL', 'address not available here'],
  [100, 'ENETDOWN', 'the network is down'],
  [101, 'ENETUNREACH', 'no route to the network'],
  [103, 'ECONNABORTED', 'connection aborted'],
  [104, 'ECONNRESET', 'connection reset by the other side'],
  [105, 'ENOBUFS', 'no buffer space'],
  [107, 'ENOTCONN', 'not connected'],
  [110, 'ETIMEDOUT', 'timed out'],
  [111, 'ECONNREFUSED', 'connection refused'],
  [113, 'EHOSTUNREACH', 'the host does not answer'],
]

const byNumber = new Map(table.map(([number, code, reason]) => [number, { code, reason }]))
const byCode = new Map(table.map(([, code, reason]) => [code as string, { code, reason }]))
const numberByCode = new Map(table.map(([number, code]) => [code, number]))

/** The number of an errno name, negated, as system calls return it. */
export function negated(code: Errno): number {
  return -(numberByCode.get(code) ?? 5)
}

/** What was attempted, for an error's message; a function where making the text costs something. */
export type Label = string | (() => string)

export function labelText(label: Label): string {
  return typeof label === 'string' ? label : label()
}

/** The error of a system call that returned `-errno`; `detail` is what the kernel said itself. */
export function kernelError(result: number, operation: Label, detail?: string): KernelError {
  const { code, reason } = byNumber.get(-result) ?? { code: 'EIO', reason: `errno ${-result}` }
  return new KernelError(code, labelText(operation), detail ?? reason)
}

/** The result of a system call, or its error. */
export function checked(result: number, operation: Label): number {
  if (result < 0) throw kernelError(result, operation)
  return result
}

/** A failed file operation of the runtime as a kernel's error; anything else as it is. */
export function fromFileError(error: unknown, operation: Label): unknown {
  if (!(error instanceof Error) || !('code' in error) || error instanceof KernelError) return error
  const known = byCode.get(String(error.code))
  if (known === undefined) return error
  return new KernelError(known.code, labelText(operation), known.reason, { cause: error })
}
