import { createRequire } from 'node:module'
import type { Received, Syscalls, Watch } from './syscall.ts'

type Koffi = typeof import('koffi')['default']

const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const MSG_TRUNC = 0x20
const EMSGSIZE = 90
const F_OFD_SETLK = 37

// One piece of native memory for the calls that need pointers within pointers. Calls are synchronous and on
// one thread, so one is enough. struct msghdr and iovec are the same on x64 and arm64 (LP64, little endian).
const HEADER = 0
const VECTOR = 64
const NAME = 128
const NAME_SIZE = 128
const CONTROL = 256
const CONTROL_SIZE = 1024
const DATA = 4096
const DATA_SIZE = 256 * 1024

let loaded: Syscalls | undefined

/** Loads koffi on the first call. Throws what its loading throws. */
export function koffiSyscalls(): Syscalls {
  loaded ??= make(createRequire(import.meta.url)('koffi') as Koffi)
  return loaded
}

function make(koffi: Koffi): Syscalls {
  const libc = koffi.load(null)
  const func = (definition: string) => {
    const call = libc.func(definition)
    const checked = (...args: unknown[]): number => {
      const result: number = call(...args)
      return result < 0 ? -koffi.errno() : result
    }
    return checked
  }
  const setns = func('int setns(int fd, int type)')
  const unshare = func('int unshare(int flags)')
  const mount = func('int mount(str source, str target, str type, unsigned long flags, void *data)')
  const umount2 = func('int umount2(str target, int flags)')
  const socket = func('int socket(int domain, int type, int protocol)')
  const close = func('int close(int fd)')
  const bind = func('int bind(int fd, const uint8_t *address, unsigned int length)')
  const connect = func('int connect(int fd, const uint8_t *address, unsigned int length)')
  const listen = func('int listen(int fd, int backlog)')
  const accept4 = func('int accept4(int fd, void *address, void *length, int flags)')
  const shutdown = func('int shutdown(int fd, int how)')
  const setsockopt = func(
    'int setsockopt(int fd, int level, int option, const uint8_t *value, unsigned int length)',
  )
  const getsockopt = func('int getsockopt(int fd, int level, int option, uint8_t *value, uint8_t *length)')
  const getsockname = func('int getsockname(int fd, uint8_t *address, uint8_t *length)')
  const getpeername = func('int getpeername(int fd, uint8_t *address, uint8_t *length)')
  const sendto = func(
    'long sendto(int fd, const uint8_t *data, size_t length, int flags, const uint8_t *to, unsigned int toLength)',
  )
  const closeAside = libc.func('int close(int fd)')
  // Variable arguments are passed like any others on x64 and arm64 Linux.
  const fcntl = func('int fcntl(int fd, int command, const uint8_t *argument)')
  const sendAside = libc.func('long send(int fd, const uint8_t *data, size_t length, int flags)')
  const recvmsg = func('long recvmsg(int fd, void *message, int flags)')
  const recv = func('long recv(int fd, void *data, size_t length, int flags)')

  const memory = koffi.alloc('uint8_t', DATA + DATA_SIZE)
  const base = koffi.address(memory)
  const octets = new Uint8Array(koffi.view(memory, DATA + DATA_SIZE))
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength)
  const room = koffi.alloc('uint8_t', DATA_SIZE)
  const data = new Uint8Array(koffi.view(room, DATA_SIZE))

  const addressBy = (call: (...args: unknown[]) => number, fd: number): Uint8Array | number => {
    const address = new Uint8Array(NAME_SIZE)
    const length = Uint8Array.from([NAME_SIZE, 0, 0, 0])
    const result = call(fd, address, length)
    return result < 0 ? result : address.subarray(0, length[0])
  }

  return {
    setns,
    unshare,
    mount: (source, target, type, flags) => mount(source, target, type, flags, null),
    unmount: umount2,
    socket: (domain, type, protocol) => socket(domain, type | SOCK_CLOEXEC, protocol),
    close,
    closeAside: (fd) =>
      new Promise((resolve, reject) => {
        closeAside.async(fd, (error: unknown, result: number) => {
          if (error !== null && error !== undefined) reject(error)
          else resolve(result)
        })
      }),
    bind: (fd, address) => bind(fd, address, address.length),
    connect: (fd, address) => connect(fd, address, address.length),
    listen,
    accept: (fd) => accept4(fd, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC),
    shutdown,
    setOption(fd, level, option, value) {
      const encoded = typeof value === 'number' ? int32(value) : value
      return setsockopt(fd, level, option, encoded, encoded.length)
    },
    getOption(fd, level, option) {
      const value = new Uint8Array(4)
      const result = getsockopt(fd, level, option, value, Uint8Array.from([4, 0, 0, 0]))
      return result < 0 ? result : new DataView(value.buffer).getInt32(0, true)
    },
    localAddress: (fd) => addressBy(getsockname, fd),
    remoteAddress: (fd) => addressBy(getpeername, fd),
    send: (fd, data, flags, to) => sendto(fd, data, data.length, flags, to ?? null, to?.length ?? 0),
    sendAside: (fd, data) =>
      new Promise((resolve, reject) => {
        // The native side reads the octets later: a copy that this closure holds until then.
        const held = data.slice()
        sendAside.async(fd, held, held.length, 0, (error: unknown, result: number) => {
          if (error !== null && error !== undefined) reject(error)
          else resolve(result < 0 ? result : held.length)
        })
      }),
    receive(fd, flags): Received | number {
      octets.fill(0, HEADER, HEADER + 64)
      view.setBigUint64(HEADER, base + BigInt(NAME), true)
      view.setUint32(HEADER + 8, NAME_SIZE, true)
      view.setBigUint64(HEADER + 16, base + BigInt(VECTOR), true)
      view.setBigUint64(HEADER + 24, 1n, true)
      view.setBigUint64(HEADER + 32, base + BigInt(CONTROL), true)
      view.setUint32(HEADER + 40, CONTROL_SIZE, true)
      view.setBigUint64(VECTOR, base + BigInt(DATA), true)
      view.setUint32(VECTOR + 8, DATA_SIZE, true)
      view.setUint32(VECTOR + 12, 0, true)
      const length = recvmsg(fd, memory, flags)
      if (length < 0) return length
      return {
        data: octets.slice(DATA, DATA + Math.min(length, DATA_SIZE)),
        from: octets.slice(NAME, NAME + Math.min(view.getUint32(HEADER + 8, true), NAME_SIZE)),
        control: octets.slice(CONTROL, CONTROL + Math.min(view.getUint32(HEADER + 40, true), CONTROL_SIZE)),
        truncated: (view.getUint32(HEADER + 48, true) & MSG_TRUNC) !== 0,
      }
    },
    receiveData(fd, flags) {
      const length = recv(fd, room, DATA_SIZE, flags | MSG_TRUNC)
      return length > DATA_SIZE ? -EMSGSIZE : length < 0 ? length : data.slice(0, length)
    },
    lockPlace(fd, place, kind) {
      // struct flock: type, whence (SEEK_SET), start, length, pid (0).
      const range = new DataView(new ArrayBuffer(32))
      range.setInt16(0, kind, true)
      range.setBigInt64(8, BigInt(place), true)
      range.setBigInt64(16, 1n, true)
      return fcntl(fd, F_OFD_SETLK, new Uint8Array(range.buffer))
    },
    watch: (fd, callback) => watch(koffi, fd, callback),
  }
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value, true)
  return bytes
}

/** koffi closes a poll handle when it is collected: everything that is watched is held here. */
const watching = new Set<object>()

/**
 * `callback` is called by way of `setImmediate`: what koffi calls from the event loop runs outside of Node's own callbacks, and from
 * Node 26 on promises that it settles would wait for the next event of another kind.
 */
function watch(koffi: Koffi, fd: number, callback: () => void): Watch {
  const onReady = () => void setImmediate(callback)
  let handle: ReturnType<Koffi['node']['poll']> | undefined
  return {
    want({ readable, writable }) {
      if (!readable && !writable) {
        handle?.stop()
        return
      }
      if (handle === undefined) {
        handle = koffi.node.poll(fd, { readable, writable }, onReady)
        watching.add(handle)
      } else {
        handle.start({ readable, writable }, onReady)
      }
    },
    stop() {
      if (handle === undefined) return
      handle.close()
      watching.delete(handle)
      handle = undefined
    },
  }
}
