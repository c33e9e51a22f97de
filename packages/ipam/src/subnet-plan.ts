import {
  addressAt,
  bigIndexOf,
  covers,
  indexOf,
  isV4,
  networkAddress,
  type Prefix,
  prefixFamily,
  prefixFrom,
  prefixLength,
} from '@podfabric/netaddr'
import { IpamError } from './ipam-error.ts'

/** How a network is divided into the subnets of its nodes. */
export interface SubnetPlan {
  /** The network of all pods, such as 10.244.0.0/16. */
  readonly network: Prefix
  /** The length of each node's subnet, longer than the network's; at most 30, or 126 for IPv6. */
  readonly subnetLength: number
  /** First subnet to give. Default, as Flannel's: the second of the network. */
  readonly subnetMin?: Prefix
  /** Last subnet to give. Default: the last of the network. */
  readonly subnetMax?: Prefix
}

/** A plan after checking: the subnets are numbered within the network, as far as numbers are exact. */
export interface ResolvedPlan {
  readonly network: Prefix
  readonly subnetLength: number
  readonly min: number
  readonly max: number
}

/** Checks a plan, or throws IPAM_INVALID_POOL. */
export function resolvePlan({ network, subnetLength, subnetMin, subnetMax }: SubnetPlan): ResolvedPlan {
  const longest = prefixFamily(network) === 4 ? 30 : 126
  const shortest = prefixLength(network) + 1
  if (!Number.isInteger(subnetLength) || subnetLength < shortest || subnetLength > longest) {
    throw invalid(network, `the length of its subnets is ${subnetLength}: must be ${shortest} to ${longest}`)
  }
  const count = 2 ** (subnetLength - prefixLength(network))
  const plan = { network, subnetLength, min: 1, max: Math.min(count - 1, Number.MAX_SAFE_INTEGER) }
  const numberOf = (subnet: Prefix, what: string): number => {
    const fits = prefixLength(subnet) === subnetLength && covers(network, subnet)
    const number = fits ? subnetNumber(plan, subnet) : -1
    if (number >= 0 && number <= Number.MAX_SAFE_INTEGER) return number
    throw invalid(
      network,
      `${what} ${subnet} is not one of its first 2^53 subnets, which are /${subnetLength}`,
    )
  }
  const min = subnetMin === undefined ? plan.min : numberOf(subnetMin, 'subnetMin')
  const max = subnetMax === undefined ? plan.max : numberOf(subnetMax, 'subnetMax')
  if (min > max) throw invalid(network, `subnetMin ${subnetMin} comes after subnetMax ${subnetMax}`)
  return { network, subnetLength, min, max }
}

/** Whether the plan gives this subnet to a node. */
export function isPlanned(plan: ResolvedPlan, subnet: Prefix): boolean {
  if (prefixLength(subnet) !== plan.subnetLength || !covers(plan.network, subnet)) return false
  const number = subnetNumber(plan, subnet)
  return plan.min <= number && number <= plan.max
}

/** The first planned subnet that overlaps none of those taken, whatever their lengths; undefined when there is none. */
export function firstFree(plan: ResolvedPlan, taken: Iterable<Prefix>): Prefix | undefined {
  const spans: { first: number; last: number }[] = []
  for (const prefix of taken) {
    if (covers(prefix, plan.network)) return undefined
    if (!covers(plan.network, prefix)) continue
    const first = subnetNumber(plan, prefix)
    spans.push({ first, last: first + 2 ** Math.max(0, plan.subnetLength - prefixLength(prefix)) - 1 })
  }
  spans.sort((a, b) => a.first - b.first)
  let candidate = plan.min
  for (const { first, last } of spans) {
    if (first > candidate) break
    candidate = Math.max(candidate, last + 1)
  }
  if (candidate > plan.max) return undefined
  const index = BigInt(candidate) << BigInt(hostBits(plan))
  return prefixFrom(addressAt(plan.network, index), plan.subnetLength)
}

/** The number of the subnet that `subnet` begins in. */
function subnetNumber(plan: Pick<ResolvedPlan, 'network' | 'subnetLength'>, subnet: Prefix): number {
  const address = networkAddress(subnet)
  if (isV4(address)) return Math.floor(indexOf(plan.network, address) / 2 ** hostBits(plan))
  return Number(bigIndexOf(plan.network, address) >> BigInt(hostBits(plan)))
}

function hostBits({ network, subnetLength }: Pick<ResolvedPlan, 'network' | 'subnetLength'>): number {
  return (prefixFamily(network) === 4 ? 32 : 128) - subnetLength
}

function invalid(network: Prefix, reason: string): IpamError {
  return new IpamError('IPAM_INVALID_POOL', `invalid network ${network}: ${reason}`)
}
