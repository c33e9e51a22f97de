import { CniError } from '@podfabric/cni'
import { type Family, type Prefix, parseIfAddress, prefixFamily, prefixOf } from '@podfabric/netaddr'

/** What Flannel's daemon says of its node in `subnet.env`. */
export interface SubnetFile {
  /** Of the whole cluster: IPv4 first, each once. */
  readonly networks: readonly Prefix[]
  /** This node's part of it, at most one of a family, IPv4 first. */
  readonly subnets: readonly Prefix[]
  /** Of the pods' links, in octets. */
  readonly mtu: number
  /** Whether the daemon masquerades what leaves the cluster. */
  readonly ipMasq: boolean
}

const largestMtu = 0xffff_ffff

/**
 * Lines `NAME=value`; those with other names say nothing, and of a name the last counts. CNI_DECODING_FAILURE, naming file and
 * line, for a value that is none, and for what is missing.
 */
export function parseSubnetFile(text: string, path: string): SubnetFile {
  const values = new Map<string, { readonly value: string; readonly at: string }>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [name = '', ...rest] = line.split('=')
    if (!names.has(name)) continue
    const at = `${path}, line ${index + 1}: ${name}`
    if (rest.length === 0) throw damaged(at, 'it has no value')
    values.set(name, { value: rest.join('='), at })
  }
  const of = <T>(name: string, parse: (value: string, at: string) => T): T | undefined => {
    const found = values.get(name)
    return found && parse(found.value, found.at)
  }
  const list = (family: Family) => (value: string, at: string) =>
    value.split(',').map((each) => prefixIn(each, family, at))
  const one = (family: Family) => (value: string, at: string) => prefixIn(value, family, at)

  const networks = [...(of('FLANNEL_NETWORK', list(4)) ?? []), ...(of('FLANNEL_IPV6_NETWORK', list(6)) ?? [])]
  const subnets = [of('FLANNEL_SUBNET', one(4)), of('FLANNEL_IPV6_SUBNET', one(6))].filter(
    (each) => each !== undefined,
  )
  const mtu = of('FLANNEL_MTU', mtuIn)
  const ipMasq = of('FLANNEL_IPMASQ', (value) => value === 'true')
  const missing = [
    ...(networks.length === 0 ? ['FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK'] : []),
    ...(subnets.length === 0 ? ['FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET'] : []),
    ...(mtu === undefined ? ['FLANNEL_MTU'] : []),
    ...(ipMasq === undefined ? ['FLANNEL_IPMASQ'] : []),
  ]
  if (mtu === undefined || ipMasq === undefined || missing.length > 0)
    throw damaged(path, `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`)
  return { networks: [...new Set(networks)], subnets, mtu, ipMasq }
}

const names = new Set([
  'FLANNEL_NETWORK',
  'FLANNEL_SUBNET',
  'FLANNEL_IPV6_NETWORK',
  'FLANNEL_IPV6_SUBNET',
  'FLANNEL_MTU',
  'FLANNEL_IPMASQ',
])

/** The daemon writes the node's own address with the subnet's length. */
function prefixIn(text: string, family: Family, at: string): Prefix {
  try {
    const found = prefixOf(parseIfAddress(text))
    if (prefixFamily(found) === family) return found
  } catch (cause) {
    throw damaged(at, cause instanceof Error ? cause.message : String(cause), cause)
  }
  throw damaged(at, `${text} is not of IPv${family}`)
}

function mtuIn(text: string, at: string): number {
  const mtu = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (mtu <= largestMtu) return mtu
  throw damaged(at, `expected a number of octets, found ${JSON.stringify(text.slice(0, 80))}`)
}

function damaged(at: string, reason: string, cause?: unknown): CniError {
  return new CniError('CNI_DECODING_FAILURE', `${at}: ${reason}`, {
    cause,
    details: 'Flannel’s daemon writes this file: see its log, or start it again',
  })
}
