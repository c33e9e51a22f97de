import type { ByteSource } from './captured-packet.ts'

/** Reads exact numbers of octets from a source of chunks. Holds no more than what was asked for and one chunk. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0
  /** Octets consumed so far. */
  offset = 0

  constructor(source: ByteSource) {
    this.#chunks = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  }

  /** `length` octets, a copy; fewer only at the end of the source. Memory grows with what arrives, not with `length`. */
  async read(length: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    let have = 0
    while (have < length) {
      if (this.#at === this.#chunk.length && !(await this.#pull())) break
      const piece = this.#chunk.subarray(this.#at, this.#at + length - have)
      pieces.push(piece)
      have += piece.length
      this.#at += piece.length
    }
    this.offset += have
    const bytes = new Uint8Array(have)
    let at = 0
    for (const piece of pieces) {
      bytes.set(piece, at)
      at += piece.length
    }
    return bytes
  }

  /** What is left of the current chunk, else the next one, as a view; undefined at the end. */
  async chunk(): Promise<Uint8Array | undefined> {
    if (this.#at === this.#chunk.length && !(await this.#pull())) return undefined
    const rest = this.#chunk.subarray(this.#at)
    this.offset += rest.length
    this.#at = this.#chunk.length
    return rest
  }

  async #pull(): Promise<boolean> {
    const { done, value } = await this.#chunks.next()
    if (done === true) return false
    this.#chunk = value
    this.#at = 0
    return true
  }

  /** Lets the source go: a file handle behind it is closed. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }
}
