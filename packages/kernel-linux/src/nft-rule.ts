import type { NftRule } from '@podfabric/kernel'
import { ensuredBy } from './nft-field.ts'
import type { NftInstruction } from './nft-instruction.ts'
import { lowerMatch } from './nft-match.ts'
import type { NftSets } from './nft-set.ts'
import { lowerStatement } from './nft-statement.ts'
import { invalidNft } from './nft-value.ts'

/** Octets. */
const LONGEST_COMMENT = 128
/** NFTNL_UDATA_RULE_COMMENT of libnftnl: a type, a length, and a terminated text. */
const COMMENT_TYPE = 0

/** A rule as the kernel runs it. EINVAL, and what `sets` throws for a set that is not there. */
export function lowerRule(rule: NftRule, sets: NftSets): readonly NftInstruction[] {
  const scope = { family: rule.family, ensured: ensuredBy(rule.family), sets }
  const instructions: NftInstruction[] = []
  let transport = false
  let ended = false
  for (const expression of rule.expressions) {
    if (ended) throw invalidNft('what comes after a verdict in a rule has no effect')
    if ('match' in expression) {
      instructions.push(...lowerMatch(expression, scope))
      transport ||= scope.ensured.protocol !== undefined
      transport ||= expression.match === 'meta l4proto' && expression.op !== '!='
    } else {
      instructions.push(...lowerStatement(expression, scope, transport))
      ended = !('counter' in expression || 'setMark' in expression)
    }
  }
  return instructions
}

/** Where nft(8) keeps the comment of a rule. EINVAL. */
export function encodeComment(comment: string): Uint8Array {
  const octets = new TextEncoder().encode(comment)
  if (octets.length > LONGEST_COMMENT) {
    throw invalidNft(
      `the comment of a rule has at most ${LONGEST_COMMENT} octets: ${JSON.stringify(comment)}`,
    )
  }
  if (/["\n\r\\\0]/.test(comment)) throw invalidNft(`nftables takes no text like ${JSON.stringify(comment)}`)
  return Uint8Array.of(COMMENT_TYPE, octets.length + 1, ...octets, 0)
}

/** The comment in a rule's user data, whoever wrote that; undefined where there is none to be read. */
export function decodeComment(data: Uint8Array): string | undefined {
  for (let at = 0; at + 2 <= data.length; ) {
    const [type = 0, length = 0] = data.subarray(at, at + 2)
    const value = data.subarray(at + 2, at + 2 + length)
    if (type === COMMENT_TYPE && value.length === length) {
      const end = value.indexOf(0)
      return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end))
    }
    at += 2 + length
  }
  return undefined
}
