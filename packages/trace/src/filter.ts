import { contains, isIp, isMac, isPrefix, parseIp, parsePrefix } from '@podfabric/netaddr'
import type { NextProtocols } from '@podfabric/wire'
import type { Hop } from './hop.ts'
import { dissectHop, type PacketFacts, packetFacts } from './packet-facts.ts'
import { TraceError } from './trace-error.ts'

/** Whether a hop is wanted. */
export type HopFilter = (hop: Hop) => boolean

/**
 * Reads a filter: terms `key=value[,value…]` with white space between them. A hop passes when it passes every
 * term; a term passes when one of its values does; `!` before a term turns it round.
 *
 * | key | value |
 * | --- | --- |
 * | `node` `netns` `link` | a name |
 * | `step` `reason` | as in a hop, in any case: `drop`, `NO_ROUTE` |
 * | `packet` | a packet's number |
 * | `protocol` | a header anywhere in the packet: `tcp`, `vxlan` |
 * | `address` | an address or a prefix that a header has, inner or outer |
 * | `port` | a UDP or TCP port, inner or outer |
 * | `mac` | a MAC address of an Ethernet header, inner or outer |
 *
 * The empty filter passes everything. What cannot be read is TRACE_INVALID_FILTER.
 */
export function parseFilter(text: string, protocols: NextProtocols): HopFilter {
  const terms = text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(parseTerm)
  return (hop) => {
    let facts: PacketFacts | undefined
    const lazyFacts = () => (facts ??= packetFacts(dissectHop(hop, protocols)))
    return terms.every(({ negated, values }) => values.some((test) => test(hop, lazyFacts)) !== negated)
  }
}

type Test = (hop: Hop, facts: () => PacketFacts) => boolean

interface Term {
  readonly negated: boolean
  readonly values: readonly Test[]
}

function parseTerm(word: string): Term {
  const negated = word.startsWith('!')
  const term = negated ? word.slice(1) : word
  const [key = '', list] = splitOnce(term, '=')
  const make = Object.hasOwn(keys, key) ? keys[key] : undefined
  if (!make) throw invalid(word, `known keys are ${Object.keys(keys).join(', ')}`)
  if (!list) throw invalid(word, `write ${key}=VALUE`)
  return { negated, values: list.split(',').map((value) => make(value, word)) }
}

const keys: Readonly<Record<string, (value: string, word: string) => Test>> = {
  node: (value) => (hop) => hop.node === value,
  netns: (value) => (hop) => hop.netns === value,
  link: (value) => (hop) => hop.link === value,
  step: (value) => (hop) => hop.step === value.toLowerCase(),
  reason: (value) => (hop) => hop.reason === value.toUpperCase(),
  packet(value, word) {
    const number = wholeNumber(value, word)
    return (hop) => hop.packet === number
  },
  protocol: (value) => (_, facts) => facts().protocols.has(value.toLowerCase()),
  address(value, word) {
    if (isIp(value)) {
      const address = parseIp(value)
      return (_, facts) => facts().addresses.includes(address)
    }
    if (!isPrefix(value)) throw invalid(word, `${value} is neither an address nor a prefix without host bits`)
    const prefix = parsePrefix(value)
    return (_, facts) => facts().addresses.some((address) => contains(prefix, address))
  },
  port(value, word) {
    const port = wholeNumber(value, word)
    return (_, facts) => facts().ports.includes(port)
  },
  mac(value, word) {
    const mac = value.toLowerCase()
    if (!isMac(mac)) throw invalid(word, `${value} is not a MAC address such as 02:00:00:00:00:01`)
    return (_, facts) => facts().macs.includes(mac)
  },
}

function wholeNumber(value: string, word: string): number {
  if (!/^\d{1,15}$/.test(value)) throw invalid(word, `${value} is not a whole number`)
  return Number(value)
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function invalid(word: string, reason: string): TraceError {
  return new TraceError('TRACE_INVALID_FILTER', `filter term "${word}": ${reason}`)
}
