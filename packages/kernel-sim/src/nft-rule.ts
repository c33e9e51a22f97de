import { KernelError, type NftExpression, type NftRule } from '@podfabric/kernel'
import { AddressError, familyOf, isUnspecified, parseIp } from '@podfabric/netaddr'
import { ipProtocols } from '@podfabric/wire'
import type { Dropped, Rejected } from './netfilter.ts'
import type { TranslationStatement, TranslationWish } from './netfilter-view.ts'
import type { ChainState } from './nft-chain.ts'
import { compileMatch, type RuleProtocols, ruleProtocols, type Step } from './nft-match.ts'
import type { SetState } from './nft-set.ts'
import { invalid, unsupported, wordsOf } from './nft-value.ts'

/** What a rule decides when all its conditions hold. */
export type Terminal =
  | { readonly kind: 'none' | 'accept' | 'return' }
  | { readonly kind: 'drop'; readonly decision: Dropped }
  | { readonly kind: 'reject'; readonly decision: Rejected }
  | { readonly kind: 'jump' | 'goto'; readonly chain: ChainState }
  | { readonly kind: 'translate'; readonly wish: TranslationWish }

/** A rule as it is run: nothing of it is read again for a packet. */
export interface RuleState {
  readonly spec: NftRule
  readonly handle: number
  readonly steps: readonly Step[]
  readonly terminal: Terminal
  readonly counters: readonly Counter[]
  /** The named sets that it asks. */
  readonly sets: readonly SetState[]
  /** It asks for the state of connections, or changes addresses. */
  readonly tracks: boolean
}

interface Counter {
  packets: number
  bytes: number
}

/** What a rule is compiled against. */
export interface RuleScope {
  setOf(name: string): SetState
  chainOf(name: string): ChainState
}

const NONE: Terminal = { kind: 'none' }

/** Compiles a rule. EINVAL, EOPNOTSUPP; what the scope throws for names that are not there. */
export function compileRule(spec: NftRule, handle: number, scope: RuleScope): RuleState {
  if (spec.comment !== undefined && new TextEncoder().encode(spec.comment).length > 128) {
    throw invalid(`the comment of a rule has at most 128 octets: ${JSON.stringify(spec.comment)}`)
  }
  const known = ruleProtocols(spec.family)
  const steps: Step[] = []
  const counters: Counter[] = []
  const sets: SetState[] = []
  let terminal: Terminal = NONE
  let tracks = false
  const setOf = (name: string): SetState => {
    const set = scope.setOf(name)
    sets.push(set)
    return set
  }
  for (const expression of spec.expressions) {
    if (terminal.kind !== 'none') throw invalid('what comes after a verdict in a rule has no effect')
    if ('match' in expression) {
      if ('mask' in expression || typeof expression.match !== 'string')
        throw unsupported('masks and concatenations')
      steps.push(compileMatch(expression, known, setOf))
      tracks ||= expression.match.startsWith('ct ')
    } else if ('counter' in expression) {
      const counter = { ...expression.counter }
      counters.push(counter)
      steps.push(counting(counter))
    } else if ('setMark' in expression) {
      if (expression.mask !== undefined) throw unsupported('masks')
      steps.push(marking(expression.setMark))
    } else {
      terminal = compileTerminal(expression, spec, handle, known, steps, scope)
      tracks ||= terminal.kind === 'translate'
    }
  }
  return { spec, handle, steps, terminal, counters, sets, tracks }
}

function counting(counter: Counter): Step {
  return (view) => {
    counter.packets++
    counter.bytes += view.packet.length
    return true
  }
}

function marking(mark: number): Step {
  if (!Number.isInteger(mark) || mark < 0 || mark > 0xffff_ffff)
    throw invalid(`${mark} is not a mark of 32 bits`)
  return (view) => {
    view.packet.mark = mark
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
    if (expression.verdict !== 'drop') return { kind: expression.verdict }
    const decision = { verdict: 'drop', reason: 'NFT_DROP', because: because(spec, handle) } as const
    return { kind: 'drop', decision }
  }
  if ('jump' in expression) return { kind: 'jump', chain: jumpable(scope, expression.jump) }
  if ('goto' in expression) return { kind: 'goto', chain: jumpable(scope, expression.goto) }
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
    return { kind: 'translate', wish: compileTranslation(expression, known, steps) }
  }
  throw invalid(`a rule cannot have ${JSON.stringify(expression)}`)
}

/** For hops: which rule decided. */
function because(spec: NftRule, handle: number): Readonly<Record<string, string | number>> {
  const place = { table: `${spec.family} ${spec.table}`, chain: spec.chain, handle }
  return spec.comment === undefined ? place : { ...place, comment: spec.comment }
}

function jumpable(scope: RuleScope, name: string): ChainState {
  const chain = scope.chainOf(name)
  if (chain.base === undefined) return chain
  throw new KernelError(
    'EOPNOTSUPP',
    'nft add rule',
    `${name} is a base chain: packets enter it at a hook only`,
  )
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
): TranslationWish {
  if ('masquerade' in statement) {
    return { kind: 'MASQUERADE', random: statement.masquerade.random === true }
  }
  const [kind, to] =
    'snat' in statement ? (['SNAT', statement.snat] as const) : (['DNAT', statement.dnat] as const)
  if ('map' in to) throw unsupported('maps')
  const family = familyOfTarget(to.address)
  if (known.family !== undefined && known.family !== family) {
    throw invalid(`${to.address} is of another IP version than the packets of the rule`)
  }
  steps.push((view) => view.family === family)
  const address = wordsOf(parseIp(to.address))
  if (to.port === undefined) return { kind, address, random: false }
  if (!known.transport) throw invalid('a port can be given only after a match of the transport protocol')
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 0xffff) throw invalid(`${to.port} is not a port`)
  return { kind, address, port: to.port, random: false }
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
    if (!('counter' in expression)) return expression
    const { packets, bytes } = counters[next++] ?? expression.counter
    return { counter: { packets, bytes } }
  })
  return { ...spec, expressions, handle }
}
