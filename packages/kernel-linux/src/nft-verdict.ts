import type { NftMapping, NftVerdict } from '@podfabric/kernel'
import { invalidNft } from './nft-value.ts'

const DROP = 0
const ACCEPT = 1
const JUMP = -3
const GOTO = -4
const RETURN = -5

/** As the kernel has it (NF_* and NFT_*). */
export interface NftVerdictCode {
  readonly code: number
  readonly chain?: string
}

export function isVerdict(value: NftMapping['to']): value is NftVerdict {
  return typeof value === 'object' && ('verdict' in value || 'jump' in value || 'goto' in value)
}

const codes: Readonly<Record<string, number>> = { accept: ACCEPT, drop: DROP, return: RETURN }

/** EINVAL. */
export function verdictOf(verdict: NftVerdict): NftVerdictCode {
  if ('jump' in verdict) return { code: JUMP, chain: verdict.jump }
  if ('goto' in verdict) return { code: GOTO, chain: verdict.goto }
  const code = Object.hasOwn(codes, verdict.verdict) ? codes[verdict.verdict] : undefined
  if (code === undefined) throw invalidNft(`${JSON.stringify(verdict.verdict)} is not a verdict`)
  return { code }
}

/** Undefined for verdicts that the contract has no words for. */
export function printedVerdict({ code, chain = '' }: NftVerdictCode): NftVerdict | undefined {
  switch (code) {
    case ACCEPT:
      return { verdict: 'accept' }
    case DROP:
      return { verdict: 'drop' }
    case RETURN:
      return { verdict: 'return' }
    case JUMP:
      return { jump: chain }
    case GOTO:
      return { goto: chain }
    default:
      return undefined
  }
}
