import type { NftExpression, NftFamily, NftTarget } from '@podfabric/kernel'
import { AddressError, familyOf, ipToBytes, isUnspecified, parseIp } from '@podfabric/netaddr'
import { type Ensured, ensureProtocol, META_MARK } from './nft-field.ts'
import type { NftInstruction } from './nft-instruction.ts'
import { big, inKernelOrder, invalidNft, unsupportedNft } from './nft-value.ts'

export const VERDICT_DROP = 0
export const VERDICT_ACCEPT = 1
export const VERDICT_JUMP = -3
export const VERDICT_GOTO = -4
export const VERDICT_RETURN = -5
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
const TCP = 6

export type NftStatement = Exclude<NftExpression, { readonly match: unknown }>

/** What a rule does, as instructions. `transport`: the rule has matched the transport protocol. EINVAL. */
export function lowerStatement(
  statement: NftStatement,
  family: NftFamily,
  ensured: Ensured,
  transport: boolean,
): NftInstruction[] {
  if ('vmap' in statement) throw unsupportedNft('maps')
  if ('counter' in statement) {
    const { packets, bytes } = statement.counter
    for (const count of [packets, bytes]) {
      if (!Number.isSafeInteger(count) || count < 0) throw invalidNft(`${count} is not a count`)
    }
    return [{ name: 'counter', packets, bytes }]
  }
  if ('verdict' in statement) return [verdict(statement.verdict)]
  if ('jump' in statement) return [{ name: 'verdict', code: VERDICT_JUMP, chain: statement.jump }]
  if ('goto' in statement) return [{ name: 'verdict', code: VERDICT_GOTO, chain: statement.goto }]
  if ('masquerade' in statement) {
    return [{ name: 'masq', flags: statement.masquerade.random === true ? NAT_RANDOM : 0 }]
  }
  if ('snat' in statement) return lowerNat(NAT_SNAT, statement.snat, ensured, transport)
  if ('dnat' in statement) return lowerNat(NAT_DNAT, statement.dnat, ensured, transport)
  if ('reject' in statement) return lowerReject(statement.reject, family, ensured)
  if ('setMark' in statement && statement.mask !== undefined) throw unsupportedNft('masks')
  if ('setMark' in statement) return lowerMark(statement.setMark)
  throw invalidNft(`a rule cannot have ${JSON.stringify(statement)}`)
}

const verdicts: Readonly<Record<string, number>> = {
  accept: VERDICT_ACCEPT,
  drop: VERDICT_DROP,
  return: VERDICT_RETURN,
}

function verdict(name: string): NftInstruction {
  const code = Object.hasOwn(verdicts, name) ? verdicts[name] : undefined
  if (code === undefined) throw invalidNft(`${JSON.stringify(name)} is not a verdict`)
  return { name: 'verdict', code }
}

function lowerNat(type: number, to: NftTarget, ensured: Ensured, transport: boolean): NftInstruction[] {
  if ('map' in to) throw unsupportedNft('maps')
  const { octets, version } = target(to.address)
  if (ensured.version !== undefined && ensured.version !== version) {
    throw invalidNft(`${to.address} is of another IP version than the packets of the rule`)
  }
  const address: NftInstruction = { name: 'immediate', to: 1, data: octets }
  const family = version === 4 ? 2 : 10
  if (to.port === undefined) return [address, { name: 'nat', type, family, address: 1, flags: 0 }]
  if (!transport) throw invalidNft('a port can be given only after a match of the transport protocol')
  if (!Number.isInteger(to.port) || to.port < 0 || to.port > 0xffff)
    throw invalidNft(`${to.port} is not a port`)
  return [
    address,
    { name: 'immediate', to: 2, data: big(to.port, 2) },
    { name: 'nat', type, family, address: 1, port: 2, flags: NAT_PORT_GIVEN },
  ]
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

function lowerMark(mark: number): NftInstruction[] {
  if (!Number.isInteger(mark) || mark < 0 || mark > 0xffff_ffff)
    throw invalidNft(`${mark} is not a mark of 32 bits`)
  return [
    { name: 'immediate', to: 1, data: inKernelOrder('mark', big(mark, 4)) },
    { name: 'meta set', from: 1, key: META_MARK },
  ]
}
