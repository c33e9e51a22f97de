import { KernelError } from '@podfabric/kernel'
import { type ChainState, JUMPS } from './nft-chain.ts'
import type { Terminal } from './nft-rule.ts'

/**
 * Follows every jump from a base chain, as Linux does at the end of a transaction. EINVAL where jumps lead too
 * deep, or in a circle; EOPNOTSUPP where packets of a hook would come to a statement that has no place there.
 */
export function validateChain(base: ChainState): void {
  walk(base, base, 0, new Map())
}

/** `seen`: how deep a chain was met already; it need not be looked at again unless it is met deeper. */
function walk(base: ChainState, chain: ChainState, depth: number, seen: Map<ChainState, number>): void {
  if (depth >= JUMPS) {
    const reason = `jumps from chain ${base.spec.name} lead more than ${JUMPS} chains deep, or in a circle`
    throw new KernelError('EINVAL', 'nft', reason)
  }
  if ((seen.get(chain) ?? -1) >= depth) return
  seen.set(chain, depth)
  for (const { terminal } of chain.rules) {
    if (terminal.kind === 'jump' || terminal.kind === 'goto') walk(base, terminal.chain, depth + 1, seen)
    else if (terminal.kind === 'vmap') for (const to of terminal.map.chains) walk(base, to, depth + 1, seen)
    else if (!isAllowed(terminal, base)) {
      const { type, hook } = base.base ?? { type: 'filter', hook: 'input' }
      throw new KernelError(
        'EOPNOTSUPP',
        'nft',
        `${nameOf(terminal)} has no place in ${type} chains at ${hook}`,
      )
    }
  }
}

/** Whether a statement is one that the end of a transaction has to look at. */
export function needsValidation({ kind }: Terminal): boolean {
  return kind !== 'none' && kind !== 'accept' && kind !== 'return' && kind !== 'drop'
}

function isAllowed(terminal: Terminal, { base }: ChainState): boolean {
  if (base === undefined) return true
  const { type, hook } = base
  if (terminal.kind === 'reject') return hook !== 'postrouting'
  if (terminal.kind !== 'translate' && terminal.kind !== 'translate by map') return true
  if (type !== 'nat') return false
  switch (terminal.wish.kind) {
    case 'MASQUERADE':
      return hook === 'postrouting'
    case 'SNAT':
      return hook === 'postrouting' || hook === 'input'
    case 'DNAT':
      return hook === 'prerouting' || hook === 'output'
  }
}

function nameOf(terminal: Terminal): string {
  return 'wish' in terminal ? terminal.wish.kind.toLowerCase() : terminal.kind
}
