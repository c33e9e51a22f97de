import {
  KernelError,
  type Link,
  type NftObject,
  type Operation,
  type Outcome,
  type RouteAnswer,
  type RouteQuery,
  type TableDriver,
} from '@podfabric/kernel'
import type { Ip } from '@podfabric/netaddr'
import type { HeldNamespace } from './held-namespace.ts'
import { unknownName } from './link-names.ts'
import type { LinkRemoval, LinkRemovals } from './link-removal.ts'
import type { NetlinkMessage } from './netlink-message.ts'
import type { NetlinkSocket } from './netlink-socket.ts'
import { listNft } from './nft.ts'
import { OperationRun } from './operation-run.ts'
import { listAddresses, readAddress } from './rtnetlink-address.ts'
import { listFdb, readFdb } from './rtnetlink-fdb.ts'
import { getLink, type LinkRow, listLinks, readLink } from './rtnetlink-link.ts'
import { listNeighbors, readNeighbor } from './rtnetlink-neighbor.ts'
import { listRoutes, lookupRoute, readAnswer, readRoute } from './rtnetlink-route.ts'
import { listRules, readRule } from './rtnetlink-rule.ts'
import type { Syscalls } from './syscall.ts'
import { readSysctl } from './sysctl.ts'

/** The tables of one namespace, for one handle on it. */
export class NetworkTables implements TableDriver {
  readonly #sys: Syscalls
  readonly #held: HeldNamespace
  #closed = false
  readonly #removal: LinkRemoval

  constructor(sys: Syscalls, held: HeldNamespace, removals: LinkRemovals) {
    this.#sys = sys
    this.#removal = removals.in(held)
    this.#held = held
  }

  /** Whatever is asked of it afterwards is EBADF. */
  close(): void {
    this.#closed = true
  }

  get #socket(): NetlinkSocket {
    if (this.#closed) throw new KernelError('EBADF', 'namespace', 'the handle was disposed')
    return this.#held.netlink(this.#sys)
  }

  async apply(operations: readonly Operation[]): Promise<readonly Outcome[]> {
    return new OperationRun({
      sys: this.#sys,
      held: this.#held,
      socket: this.#socket,
      removal: this.#removal,
      isLocal: this.#isLocal,
    }).run(operations)
  }

  readonly #isLocal = async (destination: Ip): Promise<boolean> => {
    try {
      return (await this.lookup({ destination })).type === 'local'
    } catch (error) {
      if (error instanceof KernelError) return false
      throw error
    }
  }

  #linkRow(which: string | number, label: string | (() => string)): LinkRow {
    return readLink(this.#socket.question(getLink(which), label).payload)
  }

  /** Names of links by index, each asked for once. */
  #names(): (index: number) => string {
    const names = new Map<number, string>()
    return (index) => {
      let name = names.get(index)
      if (name === undefined) {
        name = this.#nameOf(index)
        names.set(index, name)
      }
      return name
    }
  }

  #nameOf(index: number): string {
    try {
      return this.#linkRow(index, 'ip link show').name
    } catch (error) {
      if (error instanceof KernelError && error.code === 'ENODEV') return unknownName(index)
      throw error
    }
  }

  async link(name: string): Promise<Link> {
    return this.#linkRow(name, `ip link show dev ${name}`).toLink(this.#names())
  }

  async links() {
    const rows = this.#socket.dump(listLinks, 'ip link').map((message) => readLink(message.payload))
    const names = new Map(rows.map((row) => [row.index, row.name]))
    return rows
      .toSorted((a, b) => a.index - b.index)
      .map((row) => row.toLink((index) => names.get(index) ?? unknownName(index)))
  }

  async addresses() {
    return this.#rows(this.#socket.dump(listAddresses, 'ip address'), readAddress)
  }

  async routes() {
    return [4, 6].flatMap((family) => {
      const list = () => listRoutes(family === 4 ? 4 : 6)
      return this.#rows(this.#socket.dump(list, 'ip route'), readRoute)
    })
  }

  async rules() {
    return [4, 6].flatMap((family) => {
      const list = () => listRules(family === 4 ? 4 : 6)
      return this.#rows(this.#socket.dump(list, 'ip rule'), readRule)
    })
  }

  async neighbors() {
    return ([4, 6] as const).flatMap((family) => [
      ...this.#rows(
        this.#socket.dump(() => listNeighbors(family, false), 'ip neighbor'),
        readNeighbor,
      ),
      ...this.#rows(
        this.#socket.dump(() => listNeighbors(family, true), 'ip neighbor show proxy'),
        readNeighbor,
      ),
    ])
  }

  async fdb() {
    return this.#rows(this.#socket.dump(listFdb, 'bridge fdb'), readFdb)
  }

  #rows<Row>(
    messages: readonly NetlinkMessage[],
    read: (payload: Uint8Array, nameOf: (index: number) => string) => Row | undefined,
  ): Row[] {
    const nameOf = this.#names()
    return messages.flatMap((message) => read(message.payload, nameOf) ?? [])
  }

  async lookup(query: RouteQuery): Promise<RouteAnswer> {
    const label = `ip route get ${query.destination}`
    const writer = lookupRoute(query, (name) => this.#linkRow(name, label).index)
    const message = this.#socket.question(writer, label)
    const nameOf = this.#names()
    return readAnswer(message.payload, nameOf, (index) => this.#linkRow(index, label).toLink(nameOf).mtu)
  }

  async sysctl(name: string): Promise<string> {
    return readSysctl(this.#sys, this.#held.fd, name)
  }

  nft(): Promise<readonly NftObject[]> {
    return listNft(this.#sys, this.#held.fd)
  }
}
