import { familyOf, type Ip, isUnspecified } from '@podfabric/netaddr'
import type { TcpAcceptor } from './tcp-acceptor.ts'

/** The listening sockets of a stack, by port. */
export class TcpListeners {
  readonly #acceptors = new Map<number, readonly TcpAcceptor[]>()

  add(acceptor: TcpAcceptor): void {
    const { port } = acceptor.local
    this.#acceptors.set(port, [...(this.#acceptors.get(port) ?? []), acceptor])
  }

  remove(acceptor: TcpAcceptor): void {
    const { port } = acceptor.local
    const others = (this.#acceptors.get(port) ?? []).filter((other) => other !== acceptor)
    if (others.length === 0) this.#acceptors.delete(port)
    else this.#acceptors.set(port, others)
  }

  all(): TcpAcceptor[] {
    return [...this.#acceptors.values()].flat()
  }

  /** Whether a socket already listens to something that this address and port would get. */
  overlaps(address: Ip, port: number): boolean {
    const family = familyOf(address)
    const acceptors = this.#acceptors.get(port) ?? []
    return acceptors.some(
      ({ local }) =>
        familyOf(local.address) === family &&
        (local.address === address || isUnspecified(local.address) || isUnspecified(address)),
    )
  }

  /** Who gets what is sent to the address and port: the one bound to the address before the one bound to any. */
  find(address: Ip, port: number): TcpAcceptor | undefined {
    const acceptors = this.#acceptors.get(port)
    if (acceptors === undefined) return undefined
    const exact = acceptors.find(({ local }) => local.address === address)
    if (exact !== undefined) return exact
    const family = familyOf(address)
    return acceptors.find(({ local }) => isUnspecified(local.address) && familyOf(local.address) === family)
  }
}
