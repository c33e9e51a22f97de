import { contains, type Ip } from '@podfabric/netaddr'
import { IpamError } from './ipam-error.ts'
import { type ResolvedPool, rangeOfAddress, whyReserved } from './pool.ts'

/** The pool, by number, of each requested address. Throws IPAM_OUT_OF_RANGE for one that cannot be had. */
export function assignRequested(
  pools: readonly ResolvedPool[],
  requested: readonly Ip[],
): ReadonlyMap<number, Ip> {
  const assigned = new Map<number, Ip>()
  for (const ip of requested) {
    const number = pools.findIndex(({ space }) => space.has(ip))
    if (number < 0) throw notGiven(pools, ip)
    const earlier = assigned.get(number)
    if (earlier !== undefined && earlier !== ip) {
      const name = pools[number]?.name ?? ''
      throw outOfRange(
        ip,
        name,
        `${earlier} is requested of pool ${name} already, which gives one address to an owner`,
      )
    }
    assigned.set(number, ip)
  }
  return assigned
}

function notGiven(pools: readonly ResolvedPool[], ip: Ip): IpamError {
  for (const pool of pools) {
    const range = rangeOfAddress(pool, ip)
    if (range !== undefined) return outOfRange(ip, pool.name, `it ${whyReserved(range, ip)}`)
  }
  const subnets = pools
    .flatMap(({ ranges }) => ranges.map(({ subnet }) => subnet))
    .filter((net) => !contains(net, ip))
  return outOfRange(ip, undefined, `no pool has it; the pools have ${subnets.join(', ')}`)
}

function outOfRange(address: Ip, pool: string | undefined, reason: string): IpamError {
  const of = pool === undefined ? '' : ` of pool ${pool}`
  const options = pool === undefined ? { address } : { address, pool }
  return new IpamError('IPAM_OUT_OF_RANGE', `address ${address}${of} cannot be given: ${reason}`, options)
}
