import type { NftMapping, NftVerdict } from '@podfabric/kernel'
import type { TranslationWish } from './netfilter-view.ts'
import type { ChainState } from './nft-chain.ts'
import { isSingle, type Kinds, keyInterval, printedKey, wordsIn } from './nft-key.ts'
import { invalid } from './nft-value.ts'

/** What a map's key is mapped to, ready for packets: nothing of it is made for one. */
export interface Mapped {
  /** As `list` gives it. */
  readonly to: NftMapping['to']
  /** Equal for what is equal. */
  readonly text: string
  readonly verdict?: 'accept' | 'drop' | 'return' | 'jump' | 'goto'
  /** The name of the chain that the verdict leads to. */
  readonly leadsTo?: string
  /** That chain, from when the element is in its map. */
  readonly chain?: ChainState
  /** Of an address, with or without a port. */
  readonly translate?: Readonly<
    Record<'SNAT' | 'DNAT', { readonly kind: 'translate'; readonly wish: TranslationWish }>
  >
}

export function isVerdict(value: NftMapping['to']): value is NftVerdict {
  return typeof value === 'object' && ('verdict' in value || 'jump' in value || 'goto' in value)
}

/** EINVAL where it is not of the map's type. */
export function mappedValue(
  name: string,
  to: 'verdict' | Kinds | undefined,
  value: NftMapping['to'],
): Mapped {
  if (to === undefined) throw invalid(`${name} is a set: its elements have no values`)
  if (to === 'verdict') {
    if (!isVerdict(value)) throw invalid(`map ${name} maps to verdicts, not to ${JSON.stringify(value)}`)
    return mappedVerdict(value)
  }
  if (isVerdict(value)) throw invalid(`map ${name} maps to ${to.join(' . ')}, not to verdicts`)
  const data = keyInterval(to, value)
  if (!isSingle(data)) throw invalid(`map ${name} maps to single values, not to ${JSON.stringify(value)}`)
  const words = data.first
  const mapped = { to: printedKey(to, data), text: words.join() }
  const [address] = to
  if (address !== 'ipv4_addr' && address !== 'ipv6_addr') return mapped
  const width = wordsIn(address)
  const wish = (kind: 'SNAT' | 'DNAT') => {
    const plain = { kind, address: words.slice(0, width), random: false }
    const port = words[width]
    return { kind: 'translate', wish: port === undefined ? plain : { ...plain, port } } as const
  }
  return { ...mapped, translate: { SNAT: wish('SNAT'), DNAT: wish('DNAT') } }
}

function mappedVerdict(value: NftVerdict): Mapped {
  if ('jump' in value) {
    return {
      to: { jump: value.jump },
      text: `jump ${value.jump}`,
      verdict: 'jump',
      leadsTo: value.jump,
    }
  }
  if ('goto' in value) {
    return {
      to: { goto: value.goto },
      text: `goto ${value.goto}`,
      verdict: 'goto',
      leadsTo: value.goto,
    }
  }
  const { verdict } = value
  if (verdict !== 'accept' && verdict !== 'drop' && verdict !== 'return')
    throw invalid(`${JSON.stringify(verdict)} is not a verdict`)
  return { to: { verdict }, text: verdict, verdict }
}
