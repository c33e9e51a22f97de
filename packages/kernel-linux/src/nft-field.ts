import type { NftFamily, NftField } from '@podfabric/kernel'
import type { NftInstruction, NftLoad } from './nft-instruction.ts'
import { big, invalidNft, type NftKind } from './nft-value.ts'

export const NETWORK_HEADER = 1
export const TRANSPORT_HEADER = 2
export const META_PROTOCOL = 1
export const META_MARK = 3
const META_IIFNAME = 6
const META_OIFNAME = 7
export const META_NFPROTO = 15
export const META_L4PROTO = 16
const CT_STATE = 0
const CT_STATUS = 2
const FIB_ADDRTYPE = 3
const FIB_DADDR = 2
export const CMP_EQ = 0
export const CMP_NEQ = 1
export const CMP_LTE = 3
export const CMP_GTE = 5

export interface FieldSpec {
  readonly kind: NftKind
  readonly load: NftLoad
  /** The IP version that it is a field of, or the transport protocol. */
  readonly version?: 4 | 6
  readonly protocol?: number
}

const header = (offset: number, version: 4 | 6): FieldSpec => ({
  kind: version === 4 ? 'ipv4_addr' : 'ipv6_addr',
  load: { name: 'payload', to: 1, base: NETWORK_HEADER, offset, length: version === 4 ? 4 : 16 },
  version,
})
const port = (offset: number, protocol?: number): FieldSpec => ({
  kind: 'inet_service',
  load: { name: 'payload', to: 1, base: TRANSPORT_HEADER, offset, length: 2 },
  ...(protocol === undefined ? {} : { protocol }),
})
const meta = (key: number, kind: NftKind): FieldSpec => ({ kind, load: { name: 'meta', to: 1, key } })

export const nftFields: Readonly<Record<NftField, FieldSpec>> = {
  'ip saddr': header(12, 4),
  'ip daddr': header(16, 4),
  'ip6 saddr': header(8, 6),
  'ip6 daddr': header(24, 6),
  'tcp sport': port(0, 6),
  'tcp dport': port(2, 6),
  'udp sport': port(0, 17),
  'udp dport': port(2, 17),
  'th sport': port(0),
  'th dport': port(2),
  'meta l4proto': meta(META_L4PROTO, 'inet_proto'),
  'meta mark': meta(META_MARK, 'mark'),
  iifname: meta(META_IIFNAME, 'ifname'),
  oifname: meta(META_OIFNAME, 'ifname'),
  'ct state': { kind: 'ct_state', load: { name: 'ct', to: 1, key: CT_STATE } },
  'ct status': { kind: 'ct_status', load: { name: 'ct', to: 1, key: CT_STATUS } },
  'fib daddr type': {
    kind: 'fib_addrtype',
    load: { name: 'fib', to: 1, result: FIB_ADDRTYPE, flags: FIB_DADDR },
  },
}

/** What a rule has made sure of by itself, so that fields of a header are looked for only where there is one. */
export interface Ensured {
  version?: 4 | 6
  protocol?: number
}

export function ensuredBy(family: NftFamily): Ensured {
  if (family === 'ip') return { version: 4 }
  return family === 'ip6' ? { version: 6 } : {}
}

/** The instructions that make sure of it; none where that was done already. EINVAL where it contradicts. */
export function ensureVersion(family: NftFamily, ensured: Ensured, version: 4 | 6): NftInstruction[] {
  if (ensured.version === version) return []
  if (ensured.version !== undefined) throw invalidNft('conflicting IP versions in one rule')
  ensured.version = version
  if (family === 'bridge') {
    const type = version === 4 ? 0x0800 : 0x86dd
    return [
      { name: 'meta', to: 1, key: META_PROTOCOL },
      { name: 'cmp', from: 1, op: CMP_EQ, data: big(type, 2) },
    ]
  }
  return [
    { name: 'meta', to: 1, key: META_NFPROTO },
    { name: 'cmp', from: 1, op: CMP_EQ, data: Uint8Array.of(version === 4 ? 2 : 10) },
  ]
}

export function ensureProtocol(ensured: Ensured, protocol: number): NftInstruction[] {
  if (ensured.protocol === protocol) return []
  if (ensured.protocol !== undefined) throw invalidNft('conflicting transport protocols in one rule')
  ensured.protocol = protocol
  return [
    { name: 'meta', to: 1, key: META_L4PROTO },
    { name: 'cmp', from: 1, op: CMP_EQ, data: Uint8Array.of(protocol) },
  ]
}
