import type { TcpControlBlock } from './tcp-control-block.ts'
import { isFlow, octetsOf, type TcpFlow, tcpHash } from './tcp-flow.ts'

/** The connections of a stack, found by numbers: no text is made for a segment. */
export class TcpTable {
  /** By hash; those of one hash are chained. */
  readonly #blocks = new Map<number, TcpControlBlock>()

  /** The connection between these ports and the addresses at `bytes[own]` and `bytes[other]`. */
  find(
    bytes: Uint8Array,
    own: number,
    other: number,
    family: 4 | 6,
    localPort: number,
    remotePort: number,
  ): TcpControlBlock | undefined {
    const hash = tcpHash(bytes, own, other, family, portsOf(localPort, remotePort))
    for (let block = this.#blocks.get(hash); block !== undefined; block = block.chain) {
      if (block.localPort !== localPort || block.remotePort !== remotePort) continue
      if (isFlow(block.flow, bytes, own, other, family)) return block
    }
    return undefined
  }

  has(flow: TcpFlow, localPort: number, remotePort: number): boolean {
    const { octets, family } = flow
    return this.find(octets, 0, octetsOf(family), family, localPort, remotePort) !== undefined
  }

  add(block: TcpControlBlock): void {
    block.chain = this.#blocks.get(block.hash)
    this.#blocks.set(block.hash, block)
  }

  remove(block: TcpControlBlock): void {
    const first = this.#blocks.get(block.hash)
    if (first === block) {
      if (block.chain === undefined) this.#blocks.delete(block.hash)
      else this.#blocks.set(block.hash, block.chain)
      return
    }
    for (let before = first; before !== undefined; before = before.chain) {
      if (before.chain === block) before.chain = block.chain
    }
  }

  all(): TcpControlBlock[] {
    const blocks: TcpControlBlock[] = []
    for (const first of this.#blocks.values()) {
      for (let block: TcpControlBlock | undefined = first; block !== undefined; block = block.chain)
        blocks.push(block)
    }
    return blocks
  }
}

/** The hash that a connection is filed under. */
export function connectionHash(flow: TcpFlow, localPort: number, remotePort: number): number {
  const { octets, family } = flow
  return tcpHash(octets, 0, octetsOf(family), family, portsOf(localPort, remotePort))
}

function portsOf(local: number, remote: number): number {
  return ((local << 16) | remote) >>> 0
}
