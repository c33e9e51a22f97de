import type { NftBase, NftChain } from '@podfabric/kernel'
import type { NetfilterView } from './netfilter-view.ts'
import type { RuleState, Terminal } from './nft-rule.ts'

/** Chains deep that jumps may lead, as in Linux. */
export const JUMPS = 16

/** A chain with its rules. */
export class ChainState {
  readonly spec: NftChain
  /** Where packets enter it, with its policy as it is now. */
  base: (NftBase & { readonly policy: 'accept' | 'drop' }) | undefined
  rules: RuleState[] = []
  /** Rules and elements of maps that lead here. */
  uses = 0
  readonly policyDrop: Terminal

  constructor(spec: NftChain) {
    this.spec = spec
    this.base = spec.base === undefined ? undefined : { ...spec.base, policy: spec.base.policy ?? 'accept' }
    const because = { table: `${spec.family} ${spec.table}`, chain: spec.name, policy: 'drop' }
    this.policyDrop = { kind: 'drop', decision: { verdict: 'drop', reason: 'NFT_DROP', because } }
  }

  listed(): NftChain {
    const { base, spec } = this
    const { family, table, name } = spec
    return base === undefined
      ? { kind: 'chain', family, table, name }
      : { kind: 'chain', family, table, name, base }
  }
}

const ACCEPTED: Terminal = { kind: 'accept' }

/** Where jumps came from. One stack for all: a chain runs to its end before another packet is looked at. */
const cameFrom: ChainState[] = []
const continueAt: number[] = []

/** Runs a packet through a base chain: what a rule, or the policy, decided. */
export function runChain(base: ChainState, view: NetfilterView): Terminal {
  let depth = 0
  let chain = base
  let place = 0
  for (;;) {
    const rule = chain.rules[place++]
    if (rule === undefined) {
      if (depth === 0) return base.base?.policy === 'drop' ? base.policyDrop : ACCEPTED
      depth--
      chain = cameFrom[depth] as ChainState
      place = continueAt[depth] as number
      continue
    }
    if (!holds(rule, view)) continue
    const { terminal } = rule
    let kind: Terminal['kind'] = terminal.kind
    let target: ChainState | undefined
    if (terminal.kind === 'vmap') {
      const mapped = terminal.look(view)
      if (mapped?.verdict === undefined) continue
      if (mapped.verdict === 'drop') return terminal.drop
      kind = mapped.verdict
      target = mapped.chain
    } else if (terminal.kind === 'translate by map') {
      const wanted = view.family === terminal.version ? terminal.look(view)?.translate : undefined
      if (wanted === undefined) continue
      return wanted[terminal.wish.kind]
    } else if ('chain' in terminal) {
      target = terminal.chain
    }
    switch (kind) {
      case 'none':
        break
      case 'accept':
        return ACCEPTED
      case 'return':
        place = chain.rules.length
        break
      case 'jump':
        if (depth === JUMPS) return base.policyDrop
        cameFrom[depth] = chain
        continueAt[depth++] = place
        chain = target as ChainState
        place = 0
        break
      case 'goto':
        chain = target as ChainState
        place = 0
        break
      default:
        return terminal
    }
  }
}

function holds(rule: RuleState, view: NetfilterView): boolean {
  for (const step of rule.steps) if (!step(view)) return false
  return true
}
