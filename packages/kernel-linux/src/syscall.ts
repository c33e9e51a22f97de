/**
 * The system calls that this package makes. Every one returns its result, or the negated errno, as the
 * kernel itself does; none throws. Behind it is koffi now; another backend only has to fill this in.
 */
export interface Syscalls {
  /** Enters the namespace that `fd` names, for the calling thread only. */
  setns(fd: number, type: number): number
  unshare(flags: number): number
  mount(source: string, target: string, type: string, flags: number): number
  unmount(target: string, flags: number): number
  /** Closed when a program is executed. */
  socket(domain: number, type: number, protocol: number): number
  close(fd: number): number
  /** As `close`, on another thread, for what waits in the kernel for all processors. */
  closeAside(fd: number): Promise<number>
  bind(fd: number, address: Uint8Array): number
  connect(fd: number, address: Uint8Array): number
  listen(fd: number, backlog: number): number
  /** The new socket does not block. */
  accept(fd: number): number
  shutdown(fd: number, how: number): number
  setOption(fd: number, level: number, option: number, value: number | Uint8Array): number
  getOption(fd: number, level: number, option: number): number
  localAddress(fd: number): Uint8Array | number
  remoteAddress(fd: number): Uint8Array | number
  /** How many octets were taken. */
  send(fd: number, data: Uint8Array, flags: number, to?: Uint8Array): number
  /** As `send`, on another thread, for what blocks in the kernel. */
  sendAside(fd: number, data: Uint8Array): Promise<number>
  /** Everything in it is the caller's own copy. */
  receive(fd: number, flags: number): Received | number
  /** The data of one datagram alone, the caller's own copy; EMSGSIZE where it is longer than what there is room for. */
  receiveData(fd: number, flags: number): Uint8Array | number
  /** One place of a file, for this open file alone (F_OFD_SETLK); never waits. 0 shared, 1 exclusive, 2 none. EAGAIN, EACCES. */
  lockPlace(fd: number, place: number, kind: 0 | 1 | 2): number
  /** Calls back whenever the descriptor is ready, until stopped. One watch for each descriptor. */
  watch(fd: number, callback: () => void): Watch
}

export interface Received {
  readonly data: Uint8Array
  /** The sender's socket address. */
  readonly from: Uint8Array
  /** Control messages; see `controlMessages`. */
  readonly control: Uint8Array
  /** Whether the data was longer than what there was room for. */
  readonly truncated: boolean
}

export interface Watch {
  /** Which readiness to call back for; neither lets the process end. */
  want(events: { readonly readable: boolean; readonly writable: boolean }): void
  /** Must come before the descriptor is closed. */
  stop(): void
}

export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000
