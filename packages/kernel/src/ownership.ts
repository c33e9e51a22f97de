/** How everything that we create in a kernel is told from what is not ours. */
export const ownership = {
  /** `protocol` of our routes, rules and neighbors; free in iproute2's rt_protos. */
  routeProtocol: 80,
  /** Begins the alias of our links and the comment of our nftables rules. */
  mark: 'podfabric',
} as const

/** The alias of a link that belongs to `owner`: `podfabric:<owner>`, cut to what a kernel takes. */
export function ownedAlias(owner: string): string {
  return `${ownership.mark}:${owner}`.slice(0, 255)
}

export function isOwnedAlias(alias: string | undefined): boolean {
  return alias?.startsWith(`${ownership.mark}:`) ?? false
}
