import type { RouteEntry } from './route-entry.ts'

/** So many are found by looking at each. */
const FEW = 16

/** The routes that lead out by one link: a list while they are few, a set when they are many. */
export class DeviceRoutes implements Iterable<RouteEntry> {
  #few: RouteEntry[] | undefined = []
  #many: Set<RouteEntry> | undefined

  add(entry: RouteEntry): void {
    if (this.#few === undefined) {
      this.#many?.add(entry)
    } else if (this.#few.length < FEW) {
      this.#few.push(entry)
    } else {
      this.#many = new Set([...this.#few, entry])
      this.#few = undefined
    }
  }

  delete(entry: RouteEntry): void {
    if (this.#few === undefined) {
      this.#many?.delete(entry)
      return
    }
    const at = this.#few.indexOf(entry)
    if (at >= 0) this.#few.splice(at, 1)
  }

  [Symbol.iterator](): Iterator<RouteEntry> {
    return (this.#few ?? this.#many ?? [])[Symbol.iterator]()
  }
}
