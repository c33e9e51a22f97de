import type { KernelError, NftExpression, NftLookup, NftRule, NftTarget } from '@podfabric/kernel'
import { AddressError, familyOf, isUnspecified, parseIp } from '@podfabric/netaddr'
import { ipProtocols } from '@podfabric/wire'
import type { Dropped, Rejected } from './netfilter.ts'
import type { TranslationStatement, TranslationWish } from './netfilter-view.ts'
import type { ChainState } from './nft-chain.ts'
import type { Step } from './nft-field.ts'
import { isSameKinds, type Kinds } from './nft-key.ts'
import { listedExpressions } from './nft-listed-rule.ts'
import {
  type CompiledLookup,
  checkKinds,
  compileLookup,
  type RuleProtocols,
  type RuleScope,
  ruleProtocols,
} from './nft-lookup.ts'
import { checkMasked, compileMatch } from './nft-match.ts'
import type { SetState } from './nft-set.ts'
import { invalid, wordsOf } from './nft-value.ts'

/** What a rule decides when all its conditions hold. */
export type Terminal =
  | { readonly kind: 'none' | 'accept' | 'return' }
  | { readonly kind: 'drop'; readonly decision: Dropped }
  | { readonly kind: 'reject'; readonly decision: Rejected }
  | { readonly kind: 'jump' | 'goto'; readonly chain: ChainState }
  | { readonly kind: 'translate'; readonly wish: TranslationWish }
  /** What a map says; where it has nothing, the rule does not match. `drop`: what its verdict of that name means here. */
  | {
      readonly kind: 'vmap'
      readonly look: CompiledLookup['look']
      readonly map: SetState
      readonly drop: Terminal
    }
  | {
      readonly kind: 'translate by map'
      readonly look: CompiledLookup['look']
      readonly wish: { readonly kind: 'SNAT' | 'DNAT' }
      readonly version: 4 | 6
    }

/** A rule as it is run: nothing of it is read again for a packet. */
export interface RuleState {
  readonly spec: NftRule
  readonly handle: number
  readonly steps: readonly Step[]
  readonly terminal: Terminal
  readonly counters: readonly Counter[]
  /** The named sets that it asks. */
  readonly sets: readonly SetState[]
  /** The chains that it leads to, itself or by maps of its own. */
  readonly chains: readonly ChainState[]
  /** It asks for the state of connections, or changes addresses. */
  readonly tracks: boolean
}

interface Counter {
  packets: number
  bytes: number
}

/** Where names in a rule are looked for. */
export interface RuleNames {
  /** ENOENT. */
  setOf(name: string): SetState
  /** A chain to jump to. ENOENT, EOPNOTSUPP. */
  chainOf(name: string): ChainState
}

const NONE: Terminal = { kind: 'none' }

/** Compiles a rule. EINVAL, EOPNOTSUPP; what `names` throws for what is not there. */
export function compileRule(spec: NftRule, handle: number, names: RuleNames): RuleState {
  if (spec.comment !== undefined && new TextEncoder().encode(spec.comment).length > 128) {
    throw invalid(`the comment of a rule has at most 128 octets: ${JSON.stringify(spec.comment)}`)
  }
  const known = ruleProtocols(spec.family)
  const steps: Step[] = []
  const counters: Counter[] = []
  const sets: SetState[] = []
  const chains: ChainState[] = []
  let terminal: Terminal = NONE
  let tracks = false
  const scope: RuleScope = {
    setOf(name, key) {
      const set = names.setOf(name)
      checkKinds(set, name, key)
      sets.push(set)
      return set
    },
    chainOf: (name) => names.chainOf(name),
    keep(map) {
      chains.push(...map.chains)
    },
  }
  for (const expression of spec.expressions) {
    if (terminal.kind !== 'none') throw invalid('what comes after a verdict in a rule has no effect')
    if ('match' in expression) {
      steps.push(compileMatch(expression, known, scope))
      tracks ||= [expression.match].flat().some((field) => field.startsWith('ct '))
    } else if ('counter' in expression) {
      const counter = { ...expression.counter }
      counters.push(counter)
      steps.push(counting(counter))
    } else if ('setMark' in expression) {
      steps.push(marking(expression.setMark, expression.mask ?? ALL))
    } else {
      terminal = compileTerminal(expression, spec, handle, known, steps, scope)
      tracks ||= terminal.kind === 'translate' || terminal.kind === 'translate by map'
      tracks ||= readsConnections(expression)
      if ('chain' in terminal) chains.push(terminal.chain)
    }
  }
  return { spec, handle, steps, terminal, counters, sets, chains, tracks }
}

function readsConnections(expression: Concluding): boolean {
  return 'vmap' in expression && [expression.vmap.key].flat().some((field) => field.startsWith('ct '))
}

function counting(counter: Counter): Step {
  return (view) => {
    counter.packets++
    counter.bytes += view.packet.length
    return true
  }
}

const ALL = 0xffff_ffff

function marking(mark: number, mask: number): Step {
  checkMasked(mask, mark)
  return (view) => {
    view.packet.mark = ((view.packet.mark & ~mask) | mark) >>> 0
    return true
  }
}

type Concluding = Exclude<
  NftExpression,
  { readonly match: unknown } | { readonly counter: unknown } | { readonly setMark: number }
>

function compileTerminal(
  expression: Concluding,
  spec: NftRule,
  handle: number,
  known: RuleProtocols,
  steps: Step[],
  scope: RuleScope,
): Terminal {
  if ('verdict' in expression) {
    const { verdict } = expression
    if (verdict !== 'accept' && verdict !== 'drop' && verdict !== 'return')
      throw invalid(`${JSON.stringify(verdict)} is not a verdict`)
    return verdict === 'drop' ? dropping(spec, handle) : { kind: verdict }
  }
  if ('jump' in expression) return { kind: 'jump', chain: scope.chainOf(expression.jump) }
  if ('goto' in expression) return { kind: 'goto', chain: scope.chainOf(expression.goto) }
  if ('vmap' in expression) {
    const { look, map } = compileLookup(expression.vmap, known, scope, () => 'verdict')
    const { to } = map.facts
    if (to !== 'verdict') throw invalid(`vmap asks a map of verdicts, not of ${to?.join(' . ')}`)
    return { kind: 'vmap', look, map, drop: dropping(spec, handle) }
  }
  if ('reject' in expression) {
    if (expression.reject === 'tcp reset') onlyTcp(known, steps)
    const answer = expression.reject
    const decision = {
      verdict: 'reject',
      reason: 'NFT_REJECT',
      answer,
      because: because(spec, handle),
    } as const
    return { kind: 'reject', decision }
  }
  if ('masquerade' in expression || 'snat' in expression || 'dnat' in expression) {
    return compileTranslation(expression, known, steps, scope)
  }
  throw invalid(`a rule cannot have ${JSON.stringify(expression)}`)
}

function dropping(spec: NftRule, handle: number): Terminal {
  const decision = { verdict: 'drop', reason: 'NFT_DROP', because: because(spec, handle) } as const
  return { kind: 'drop', decision }
}

/** For hops: which rule decided. */
function because(spec: NftRule, handle: number): Readonly<Record<string, string | number>> {
  const place = { table: `${spec.family} ${spec.table}`, chain: spec.chain, handle }
  return spec.comment === undefined ? place : { ...place, comment: spec.comment }
}

function onlyTcp(known: RuleProtocols, steps: Step[]): void {
  if (known.protocol !== undefined && known.protocol !== ipProtocols.tcp) {
    throw invalid('a tcp reset answers TCP only')
  }
  steps.push((view) => view.protocol === ipProtocols.tcp)
}

function compileTranslation(
  statement: TranslationStatement,
  known: RuleProtocols,
  steps: Step[],
  scope: RuleScope,
): Terminal {
  if ('masquerade' in statement) {
    return { kind: 'translate', wish: { kind: 'MASQUERADE', random: statement.masquerade.random === true } }
  }
  const [kind, to] =
    'snat' in statement ? (['SNAT', statement.snat] as const) : (['DNAT', statement.dnat] as const)
  if ('map' in to) return compileMappedTranslation(kind, to, known, scope)
  const family = familyOfTarget(to.address)
  if (known.family !== undefined && known.family !== family) {
    throw invalid(`${to.address} is of another IP version than the packets of the rule`)
  }
  steps.push((view) => view.family === family)
  const wish = { kind, address: wordsOf(parseIp(to.address)), random: false }
  if (to.port === undefined) return { kind: 'translate', wish }
  if (!known.transport) throw portWithoutProtocol()
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 0xffff) throw invalid(`${to.port} is not a port`)
  return { kind: 'translate', wish: { ...wish, port: to.port } }
}

function compileMappedTranslation(
  kind: 'SNAT' | 'DNAT',
  to: Extract<NftTarget, NftLookup>,
  known: RuleProtocols,
  scope: RuleScope,
): Terminal {
  const { family, key } = to
  if (family !== 'ip' && family !== 'ip6')
    throw invalid(`${JSON.stringify(family)} is no family of addresses`)
  const version = family === 'ip' ? 4 : 6
  const address: Kinds = [family === 'ip' ? 'ipv4_addr' : 'ipv6_addr']
  const target: Kinds = [...address, 'inet_service']
  const { look, map } = compileLookup(to, known, scope, ([first]) =>
    Array.isArray(first?.to) ? target : address,
  )
  if (known.family !== undefined && known.family !== version) {
    throw invalid(`${family} addresses are of another IP version than the packets of the rule`)
  }
  const { to: data } = map.facts
  const isTarget = data !== undefined && data !== 'verdict' && isSameKinds(data, target)
  if (!isTarget && (data === undefined || data === 'verdict' || !isSameKinds(data, address))) {
    throw invalid(`${family} addresses come from a map to ${address} or ${target.join(' . ')}`)
  }
  if (isTarget && !known.transport && !(typeof key === 'object' && key.includes('meta l4proto'))) {
    throw portWithoutProtocol()
  }
  return { kind: 'translate by map', look, wish: { kind }, version }
}

function portWithoutProtocol(): KernelError {
  return invalid('a port can be given only after a match of the transport protocol')
}

function familyOfTarget(text: string): 4 | 6 {
  try {
    const address = parseIp(text)
    if (isUnspecified(address)) throw invalid(`nothing can be translated to ${text}`)
    return familyOf(address)
  } catch (error) {
    if (error instanceof AddressError) throw invalid(error.message, error)
    throw error
  }
}

/** The rule as `list` gives it: with its handle, and its counters as they are now. */
export function listedRule(rule: RuleState): NftRule {
  const { spec, counters, handle } = rule
  let next = 0
  const expressions = spec.expressions.map((expression): NftExpression => {
    if ('setMark' in expression && expression.mask === ALL) return { setMark: expression.setMark }
    if (!('counter' in expression)) return expression
    const { packets, bytes } = counters[next++] ?? expression.counter
    return { counter: { packets, bytes } }
  })
  return { ...spec, expressions: listedExpressions(expressions), handle }
}
