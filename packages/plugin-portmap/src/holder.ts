import { CniError } from '@podfabric/cni'
import type { NftKey, NftMapping } from '@podfabric/kernel'
import { ownedAlias } from '@podfabric/kernel'
import { familyIn, type PortMapping, type Published, portName } from './port-mapping.ts'
import { goesTo, keyText, type TableContents } from './table-contents.ts'

/** Why a port cannot be had: somebody has it. Undefined where each of them is free now. */
export function holderOf(
  contents: TableContents,
  published: Published,
  network: string,
): CniError | undefined {
  for (const mapping of published.mappings) {
    if (familyIn(mapping) !== contents.family) continue
    const claim = claimAgainst(contents, mapping)
    if (claim === undefined) continue
    const where = contents.map(isSingleKey(claim.key) ? 'addresses' : 'ports')
    const target = where.find(({ key }) => keyText(key) === keyText(claim.key))?.to
    return new CniError(
      'CNI_ADDRESS_IN_USE',
      `${portName(mapping)} is taken: ${describe(contents, claim, network)} has ${heldName(claim.key)}`,
      { ...(Array.isArray(target) && { details: `it leads to port ${target[1]} of ${target[0]}` }) },
    )
  }
  return undefined
}

/** The claim that keeps a mapping from being made: of the whole port, of its address, or, for the whole port, of any address. */
function claimAgainst(contents: TableContents, mapping: PortMapping): NftMapping | undefined {
  const { protocol, hostPort, hostIp } = mapping
  const port = keyText([protocol, hostPort])
  const whole = contents.map('claims').find((each) => keyText(each.key) === port)
  if (whole !== undefined && !isShared(whole)) return whole
  return contents.map('claims-at').find(({ key }) => {
    const [address, ...rest] = Array.isArray(key) ? key : []
    return keyText(rest) === port && (hostIp === undefined || address === hostIp)
  })
}

function isShared(element: NftMapping): boolean {
  return goesTo(element)?.startsWith('at-') ?? false
}

function isSingleKey(key: NftKey): boolean {
  return Array.isArray(key) && key.length === 3
}

function heldName(key: NftKey): string {
  const fields: readonly unknown[] = Array.isArray(key) ? key : []
  return isSingleKey(key) ? `it of ${fields[0]}` : 'it of all addresses'
}

/** `container c1, interface eth0`, and the network where it is another. */
function describe(contents: TableContents, claim: NftMapping, network: string): string {
  const chain = goesTo(claim) ?? ''
  const comment = contents.rules(chain)?.find(({ comment }) => comment !== undefined)?.comment ?? ''
  const [owner, containerId, ifName] = comment.slice(ownedAlias('portmap/').length).split('/')
  if (!owner || !containerId) return `somebody unknown (chain ${chain})`
  const where = owner === network ? '' : ` of network ${owner}`
  return `container ${containerId}${ifName ? `, interface ${ifName}` : ''}${where}`
}
