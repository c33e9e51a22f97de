import type { NftTable } from '@podfabric/kernel'
import type { ChainState } from './nft-chain.ts'
import type { NamedSet } from './nft-set.ts'

/** A table with what is in it, in order of creation. */
export class TableState {
  readonly spec: NftTable
  readonly chains = new Map<string, ChainState>()
  /** Those of the chains that packets enter at a hook. */
  readonly bases = new Map<string, ChainState>()
  readonly sets = new Map<string, NamedSet>()
  /** How many rules ask for the state of connections, or translate. */
  tracking = 0
  #handles = 0

  constructor(spec: NftTable) {
    this.spec = spec
  }

  /** Chains, sets and rules of a table count as one, as in Linux. */
  nextHandle(): number {
    return ++this.#handles
  }
}
