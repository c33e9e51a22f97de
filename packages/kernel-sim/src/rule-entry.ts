import type { Rule } from '@podfabric/kernel'
import { ipToBytes, networkAddress, type Prefix, prefixLength } from '@podfabric/netaddr'
import { RouteEntry } from './route-entry.ts'

/** A prefix to compare octets of packets with. */
class OctetPrefix {
  readonly #octets: Uint8Array
  readonly #length: number

  constructor(prefix: Prefix) {
    this.#octets = ipToBytes(networkAddress(prefix))
    this.#length = prefixLength(prefix)
  }

  contains(octets: Uint8Array): boolean {
    const whole = this.#length >> 3
    for (let i = 0; i < whole; i++) if (octets[i] !== this.#octets[i]) return false
    const rest = this.#length & 7
    return rest === 0 || ((octets[whole] as number) ^ (this.#octets[whole] as number)) >> (8 - rest) === 0
  }
}

/** What policy routing decides by. Addresses in network order. */
export interface RuleQuery {
  readonly source: Uint8Array
  readonly destination: Uint8Array
  mark: number
  /** Name of the link it came in by; `lo` for what starts here. */
  input: string
  /** Name of the link it is bound to, or ''. */
  output: string
}

/** One policy rule. */
export class RuleEntry {
  readonly row: Rule
  /** The table to ask, or the answer itself. */
  readonly table: number
  readonly verdict: RouteEntry | undefined
  readonly #from: OctetPrefix | undefined
  readonly #to: OctetPrefix | undefined

  constructor(row: Rule) {
    this.row = row
    this.#from = row.from && new OctetPrefix(row.from)
    this.#to = row.to && new OctetPrefix(row.to)
    if (typeof row.action === 'object') {
      this.table = row.action.lookup
      this.verdict = undefined
    } else {
      this.table = 0
      this.verdict = new RouteEntry({
        destination: (row.family === 4 ? '0.0.0.0/0' : '::/0') as Prefix,
        type: row.action,
        device: undefined,
        metric: row.priority,
        table: 0,
        protocol: row.protocol ?? 0,
      })
    }
  }

  matches(query: RuleQuery): boolean {
    return this.#matchesAll(query) !== (this.row.invert ?? false)
  }

  #matchesAll(query: RuleQuery): boolean {
    const { input, output, mark } = this.row
    if (this.#from !== undefined && !this.#from.contains(query.source)) return false
    if (this.#to !== undefined && !this.#to.contains(query.destination)) return false
    if (mark !== undefined && ((query.mark ^ mark.value) & mark.mask) !== 0) return false
    if (input !== undefined && input !== query.input) return false
    return output === undefined || output === query.output
  }
}

/** The rules that every namespace begins with. */
export function defaultRules(family: 4 | 6): RuleEntry[] {
  const rule = (priority: number, lookup: number): RuleEntry =>
    new RuleEntry({ family, priority, action: { lookup }, protocol: 2 })
  const rules = [rule(0, 255), rule(32_766, 254)]
  return family === 4 ? [...rules, rule(32_767, 253)] : rules
}
