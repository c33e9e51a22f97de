import type { KernelError, NftExpression, NftFamily, NftLookup, NftTarget } from '@podfabric/kernel'
import { AddressError, familyOf, ipToBytes, isUnspecified, parseIp } from '@podfabric/netaddr'
import { type Ensured, ensureProtocol, META_MARK } from './nft-field.ts'
import type { NftInstruction } from './nft-instruction.ts'
import type { NftKinds } from './nft-key.ts'
import { isSameKinds, lowerLookup, type RuleScope, registersOf } from './nft-lookup.ts'
import { checkMasked, type NftMatch } from './nft-match.ts'
import { big, inKernelOrder, invalidNft, type NftKind } from './nft-value.ts'
import { verdictOf } from './nft-verdict.ts'

export const NAT_SNAT = 0
export const NAT_DNAT = 1
export const NAT_MAP_ADDRESS = 1
export const NAT_PORT_GIVEN = 2
export const NAT_RANDOM = 4
export const REJECT_ICMP = 0
export const REJECT_TCP_RESET = 1
export const REJECT_ICMPX = 2
export const ICMP_PORT_UNREACHABLE = 3
export const ICMPV6_PORT_UNREACHABLE = 4
export const ICMPX_PORT_UNREACHABLE = 1
const NFPROTO_IPV4 = 2
export const NFPROTO_IPV6 = 10
const TCP = 6
const ALL = 0xffff_ffff

export type NftStatement = Exclude<NftExpression, NftMatch>

/** What a rule does, as instructions. `transport`: the rule has matched the transport protocol. EINVAL, ENOENT. */
export function lowerStatement(
  statement: NftStatement,
  scope: RuleScope,
  transport: boolean,
): readonly NftInstruction[] {
  if ('counter' in statement) {
    const { packets, bytes } = statement.counter
    for (const count of [packets, bytes]) {
      if (!Number.isSafeInteger(count) || count < 0) throw invalidNft(`${count} is not a count`)
    }
    return [{ name: 'counter', packets, bytes }]
  }
  if ('verdict' in statement || 'jump' in statement || 'goto' in statement) {
    return [{ name: 'verdict', ...verdictOf(statement) }]
  }
  if ('vmap' in statement) {
    const { instructions, to } = lowerLookup(statement.vmap, 0, () => 'verdict', scope)
    if (to !== 'verdict') throw invalidNft(`vmap asks a map of verdicts, not of ${to.join(' . ')}`)
    return instructions
  }
  if ('masquerade' in statement) {
    return [{ name: 'masq', flags: statement.masquerade.random === true ? NAT_RANDOM : 0 }]
  }
  if ('snat' in statement) return lowerNat(NAT_SNAT, statement.snat, scope, transport)
  if ('dnat' in statement) return lowerNat(NAT_DNAT, statement.dnat, scope, transport)
  if ('reject' in statement) return lowerReject(statement.reject, scope.family, scope.ensured)
  if ('setMark' in statement) return lowerMark(statement.setMark, statement.mask ?? ALL)
  throw invalidNft(`a rule cannot have ${JSON.stringify(statement)}`)
}

function lowerNat(
  type: number,
  to: NftTarget,
  scope: RuleScope,
  transport: boolean,
): readonly NftInstruction[] {
  if ('map' in to) return lowerMappedNat(type, to, scope, transport)
  const { octets, version } = target(to.address)
  if (scope.ensured.version !== undefined && scope.ensured.version !== version) {
    throw invalidNft(`${to.address} is of another IP version than the packets of the rule`)
  }
  const address: NftInstruction = { name: 'immediate', to: 1, data: octets }
  const family = version === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6
  if (to.port === undefined) return [address, { name: 'nat', type, family, address: 1, flags: 0 }]
  if (!transport) throw portWithoutProtocol()
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 0xffff)
    throw invalidNft(`${to.port} is not a port`)
  return [
    address,
    { name: 'immediate', to: 2, data: big(to.port, 2) },
    { name: 'nat', type, family, address: 1, port: 2, flags: NAT_PORT_GIVEN },
  ]
}

function lowerMappedNat(
  type: number,
  to: Extract<NftTarget, NftLookup>,
  scope: RuleScope,
  transport: boolean,
): readonly NftInstruction[] {
  const { family, key } = to
  if (family !== 'ip' && family !== 'ip6')
    throw invalidNft(`${JSON.stringify(family)} is no family of addresses`)
  const version = family === 'ip' ? 4 : 6
  const address: NftKind = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr'
  const target: NftKinds = [address, 'inet_service']
  const lowered = lowerLookup(
    to,
    1,
    ([first]) => (typeof first?.to === 'object' && Array.isArray(first.to) ? target : [address]),
    scope,
  )
  if (scope.ensured.version !== undefined && scope.ensured.version !== version) {
    throw invalidNft(`${family} addresses are of another IP version than the packets of the rule`)
  }
  const nat = {
    name: 'nat',
    type,
    family: version === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6,
    address: 1,
    flags: 0,
  } as const
  if (lowered.to !== 'verdict' && isSameKinds(lowered.to, [address])) return [...lowered.instructions, nat]
  if (lowered.to === 'verdict' || !isSameKinds(lowered.to, target)) {
    const found = lowered.to === 'verdict' ? lowered.to : lowered.to.join(' . ')
    throw invalidNft(
      `${family} addresses come from a map to ${address} or ${target.join(' . ')}, not to ${found}`,
    )
  }
  const isAsked = typeof key === 'object' && key.includes('meta l4proto')
  if (!transport && !isAsked && scope.ensured.protocol === undefined) throw portWithoutProtocol()
  return [...lowered.instructions, { ...nat, port: registersOf(target)[1] ?? 1 }]
}

function portWithoutProtocol(): KernelError {
  return invalidNft('a port can be given only after a match of the transport protocol')
}

function target(text: string): { readonly octets: Uint8Array; readonly version: 4 | 6 } {
  try {
    const address = parseIp(text)
    if (isUnspecified(address)) throw invalidNft(`nothing can be translated to ${text}`)
    return { octets: ipToBytes(address), version: familyOf(address) }
  } catch (error) {
    if (error instanceof AddressError) throw invalidNft(error.message, error)
    throw error
  }
}

function lowerReject(answer: 'icmp' | 'tcp reset', family: NftFamily, ensured: Ensured): NftInstruction[] {
  if (answer === 'tcp reset') {
    return [...ensureProtocol(ensured, TCP), { name: 'reject', type: REJECT_TCP_RESET, code: 0 }]
  }
  if (family === 'bridge' || ensured.version === undefined) {
    return [{ name: 'reject', type: REJECT_ICMPX, code: ICMPX_PORT_UNREACHABLE }]
  }
  const code = ensured.version === 4 ? ICMP_PORT_UNREACHABLE : ICMPV6_PORT_UNREACHABLE
  return [{ name: 'reject', type: REJECT_ICMP, code }]
}

function lowerMark(mark: number, mask: number): NftInstruction[] {
  checkMasked(mask, mark)
  const inOrder = (number: number) => inKernelOrder('mark', big(number >>> 0, 4))
  const set: NftInstruction = { name: 'meta set', from: 1, key: META_MARK }
  if (mask === ALL) return [{ name: 'immediate', to: 1, data: inOrder(mark) }, set]
  return [
    { name: 'meta', to: 1, key: META_MARK },
    { name: 'bitwise', at: 1, mask: inOrder(~mask), xor: inOrder(mark) },
    set,
  ]
}
