const chunkLength = 512

/**
 * An ordered set of strings, by code unit. Adding and removing cost a binary search and a move within one chunk, and
 * so hardly depend on how many there are; walking costs nothing beyond what is walked.
 */
export class SortedKeys {
  /** Never empty arrays; ascending within and across chunks. */
  readonly #chunks: string[][] = []

  /** Adds `key`; does nothing when it is there. */
  add(key: string): void {
    const at = Math.max(0, this.#chunkOf(key))
    const chunk = this.#chunks[at]
    if (chunk === undefined) {
      this.#chunks.push([key])
      return
    }
    const index = lowerBound(chunk, key)
    if (chunk[index] === key) return
    chunk.splice(index, 0, key)
    if (chunk.length > chunkLength) this.#chunks.splice(at + 1, 0, chunk.splice(chunkLength / 2))
  }

  /** Removes `key`; does nothing when it is not there. */
  delete(key: string): void {
    const at = this.#chunkOf(key)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return
    const index = lowerBound(chunk, key)
    if (chunk[index] !== key) return
    chunk.splice(index, 1)
    if (chunk.length === 0) this.#chunks.splice(at, 1)
  }

  /** The keys from `start` on, itself included, ascending. The set must not change while it is walked. */
  *from(start: string): Generator<string, void> {
    const first = Math.max(0, this.#chunkOf(start))
    for (let at = first; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at] ?? []
      for (let index = at === first ? lowerBound(chunk, start) : 0; index < chunk.length; index++) {
        const key = chunk[index]
        if (key !== undefined) yield key
      }
    }
  }

  /** The index of the last chunk that begins at or before `key`; -1 when all begin after it. */
  #chunkOf(key: string): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const begin = this.#chunks[middle]?.[0]
      if (begin !== undefined && begin <= key) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/** The index of the first element that is not less than `key`. */
function lowerBound(chunk: readonly string[], key: string): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const element = chunk[middle]
    if (element !== undefined && element < key) low = middle + 1
    else high = middle
  }
  return low
}
