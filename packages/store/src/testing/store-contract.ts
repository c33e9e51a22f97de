import { scoped } from '../scoped-store.ts'
import { closeRules } from './close-rules.ts'
import { entryRules } from './entry-rules.ts'
import { leaseRules } from './lease-rules.ts'
import type { StoreCase, StoreSubject } from './subject.ts'
import { transactionRules } from './transaction-rules.ts'
import { watchRules } from './watch-rules.ts'

const rules = [...entryRules, ...transactionRules, ...watchRules, ...leaseRules, ...closeRules]

/**
 * The rules that every store keeps, as cases for any test runner: each makes a subject with `create`, tries one
 * rule, and closes the subject. They are tried on the store itself and again on a scoped view of it, beside
 * whose prefix other keys are written.
 */
export function storeContract(create: () => Promise<StoreSubject>): StoreCase[] {
  return [...casesOf('', create), ...casesOf('in a scoped view, ', () => view(create))]
}

function casesOf(where: string, create: () => Promise<StoreSubject>): StoreCase[] {
  return rules.map(([name, run]) => ({
    name: where + name,
    run: async () => {
      const subject = await create()
      try {
        await run(subject)
      } finally {
        await subject.close()
      }
    },
  }))
}

async function view(create: () => Promise<StoreSubject>): Promise<StoreSubject> {
  const { store, peer, advance, compact, close } = await create()
  await store.put('a', 'outside')
  await store.put('networks/p', 'outside')
  await store.put('networks/pods', 'outside')
  await store.put('networks/pods-2/a', 'outside')
  return {
    store: scoped(store, 'networks/pods/'),
    peer: scoped(peer, 'networks/pods/'),
    advance,
    compact,
    close,
  }
}
