import type { NftBase } from '@podfabric/kernel'
import type { Hook } from './netfilter.ts'
import type { ChainState } from './nft-chain.ts'
import type { Ruleset } from './nft-ruleset.ts'
import type { TableState } from './nft-table.ts'

/** What is done with packets of one IP version at one hook, in order. */
export interface HookPlan {
  readonly stages: readonly Stage[]
  /** Whether connections that pass here are taken into the table. */
  readonly confirms: boolean
}

/** What is done with packets, by hook. */
export type HookPlans = Readonly<Record<Hook, HookPlan | undefined>>

export type Stage =
  | { readonly kind: 'follow' }
  | { readonly kind: 'chain'; readonly chain: ChainState }
  | { readonly kind: 'translate'; readonly chains: readonly ChainState[] }

/** Priorities of what the kernel itself does at hooks, as in Linux. */
const FOLLOW = -200
const TRANSLATE_DESTINATION = -100
const TRANSLATE_SOURCE = 100

/** Whether connections are followed: some rule or chain of the IP version needs them. */
export function isTracking(ruleset: Ruleset, family: 4 | 6): boolean {
  for (const table of ruleset.tables.values()) if (isOf(table, family) && table.tracking > 0) return true
  return isTranslating(ruleset, family)
}

export function planHooks(ruleset: Ruleset, family: 4 | 6): HookPlans {
  return {
    prerouting: planHook(ruleset, 'prerouting', family),
    input: planHook(ruleset, 'input', family),
    forward: planHook(ruleset, 'forward', family),
    output: planHook(ruleset, 'output', family),
    postrouting: planHook(ruleset, 'postrouting', family),
  }
}

/** Undefined where nothing is to be done. */
function planHook(ruleset: Ruleset, hook: Hook, family: 4 | 6): HookPlan | undefined {
  const chains = chainsAt(ruleset, hook, family)
  const tracking = isTracking(ruleset, family)
  const confirms = tracking && (hook === 'input' || hook === 'postrouting')
  const staged: { priority: number; stage: Stage }[] = []
  for (const { chain, base } of chains) {
    if (base.type === 'filter') staged.push({ priority: base.priority, stage: { kind: 'chain', chain } })
  }
  const begins = hook === 'prerouting' || hook === 'output'
  if (tracking && begins) staged.unshift({ priority: FOLLOW, stage: { kind: 'follow' } })
  if (isTranslating(ruleset, family) && hook !== 'forward') {
    const translators = chains.filter(({ base }) => base.type === 'nat').map(({ chain }) => chain)
    const priority = begins ? TRANSLATE_DESTINATION : TRANSLATE_SOURCE
    staged.push({ priority, stage: { kind: 'translate', chains: translators } })
  }
  if (staged.length === 0 && !confirms) return undefined
  staged.sort((a, b) => a.priority - b.priority)
  return { stages: staged.map(({ stage }) => stage), confirms }
}

function chainsAt(ruleset: Ruleset, hook: Hook, family: 4 | 6): { chain: ChainState; base: NftBase }[] {
  const found: { chain: ChainState; base: NftBase }[] = []
  for (const table of ruleset.tables.values()) {
    if (!isOf(table, family)) continue
    for (const chain of table.bases.values()) {
      if (chain.base?.hook === hook) found.push({ chain, base: chain.base })
    }
  }
  return found.sort((a, b) => a.base.priority - b.base.priority)
}

function isTranslating(ruleset: Ruleset, family: 4 | 6): boolean {
  for (const table of ruleset.tables.values()) {
    if (!isOf(table, family)) continue
    for (const { base } of table.bases.values()) if (base?.type === 'nat') return true
  }
  return false
}

function isOf({ spec }: TableState, family: 4 | 6): boolean {
  return spec.family === 'inet' || spec.family === (family === 4 ? 'ip' : 'ip6')
}
