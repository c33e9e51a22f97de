import { CMP_EQ, NETWORK_HEADER, TRANSPORT_HEADER } from './nft-field.ts'
import type { NftInstruction } from './nft-instruction.ts'

/** Two fields side by side: the addresses of IPv4, and the ports. */
const pairs = [
  { base: NETWORK_HEADER, offset: 12, length: 8 },
  { base: TRANSPORT_HEADER, offset: 0, length: 4 },
] as const

/** With each field compared by itself: nft(8) loads two that are side by side, and compared with one value each, at once. */
export function splitLoads(instructions: readonly NftInstruction[]): readonly NftInstruction[] {
  return instructions.flatMap((instruction, i) => {
    const before = instructions[i - 1]
    if (instruction.name === 'cmp' && isMerged(before, instruction)) return []
    const behind = instructions[i + 1]
    if (instruction.name !== 'payload' || behind?.name !== 'cmp' || !isMerged(instruction, behind)) {
      return [instruction]
    }
    const half = instruction.length / 2
    const one = (at: number): NftInstruction[] => [
      { ...instruction, offset: instruction.offset + at, length: half },
      { ...behind, data: behind.data.subarray(at, at + half) },
    ]
    return [...one(0), ...one(half)]
  })
}

function isMerged(
  load: NftInstruction | undefined,
  { op, from, data }: Extract<NftInstruction, { readonly name: 'cmp' }>,
): boolean {
  if (load?.name !== 'payload' || op !== CMP_EQ || from !== load.to || data.length !== load.length)
    return false
  return pairs.some(
    ({ base, offset, length }) => load.base === base && load.offset === offset && load.length === length,
  )
}
