import { type AttachmentId, linkName } from '@podfabric/cni'
import { type NftCommand, type NftKey, type NftMapping, ownedAlias } from '@podfabric/kernel'
import { type Family, familyIn, type PortMapping, type Published } from './port-mapping.ts'
import { tableName, users } from './table.ts'

/** The chain that stands for an attachment in the table: what it has claimed leads here. No packet comes by it. */
export function ownChain(network: string, id: AttachmentId): string {
  return linkName('of', network, id)
}

/** The comment of the rules in an attachment's chain: whose it is. */
export function ownerComment(network: string, { containerId, ifName }: AttachmentId): string {
  return `${ownerPrefix(network)}${containerId}/${ifName}`.slice(0, 128)
}

export function ownerPrefix(network: string): string {
  return ownedAlias(`portmap/${network}/`)
}

/** The chain that stands for a port of which single addresses are taken. */
export function sharedChain({ protocol, hostPort }: PortMapping): string {
  return `at-${protocol}-${hostPort}`
}

/** Elements of one set or map that an attachment has. `create` where nobody else may have them. */
export interface OwnElements {
  readonly name: string
  readonly verb: 'add' | 'create'
  readonly elements: readonly NftKey[] | readonly NftMapping[]
}

/** All elements of an attachment in one family, but for what says that single addresses of a port are taken. */
export function ownElements(family: Family, chain: string, published: Published): readonly OwnElements[] {
  const { markBit, masquerade, links } = published
  const mappings = published.mappings.filter((each) => familyIn(each) === family)
  const [whole, single] = [mappings.filter((each) => !isSingle(each)), mappings.filter(isSingle)]
  const port = ({ protocol, hostPort }: PortMapping) => [protocol, hostPort] as const
  const endpoint = (each: PortMapping) => [each.hostIp ?? '', ...port(each)] as const
  const leadsTo = ({ address, port: to }: PortMapping) => [address, to] as const
  const link = links[family]
  const all = [
    mapOf('claims', whole, port, () => ({ goto: chain })),
    mapOf('claims-at', single, endpoint, () => ({ goto: chain })),
    mapOf('ports', whole, port, leadsTo),
    mapOf('addresses', single, endpoint, leadsTo),
    ...(masquerade === 'needed' && link !== undefined
      ? [
          setOf(`hairpin-${markBit}`, whole, (each) => [link, ...port(each)]),
          setOf(`hairpin-at-${markBit}`, single, (each) => [link, ...endpoint(each)]),
        ]
      : []),
    ...(masquerade === 'all'
      ? [setOf(`all-${markBit}`, whole, port), setOf(`all-at-${markBit}`, single, endpoint)]
      : []),
    ...(masquerade !== 'none' && family === 'ip'
      ? [setOf('localhost', mappings, ({ address, protocol, port: to }) => [address, protocol, to])]
      : []),
  ]
  return all.filter(({ elements }) => elements.length > 0)
}

/** Adds an attachment in one family; nothing of it, where the transaction fails. EEXIST: a port is taken, or it is there already. */
export function attachCommands(
  family: Family,
  chain: string,
  owner: string,
  published: Published,
): readonly NftCommand[] {
  const at = { family, table: tableName } as const
  const shared = sharedPorts(family, published)
  const leadTo = (target: string): NftCommand => ({
    verb: 'add',
    object: { kind: 'rule', ...at, chain, expressions: [{ goto: target }], comment: owner },
  })
  return [
    { verb: 'create', object: { kind: 'chain', ...at, name: chain } },
    leadTo(users),
    ...shared.flatMap((each): readonly NftCommand[] => [
      { verb: 'add', object: { kind: 'chain', ...at, name: sharedChain(each) } },
      leadTo(sharedChain(each)),
      // Many may add it with this chain; who has the whole port has it with another.
      { verb: 'add', object: { kind: 'elements', ...at, map: 'claims', elements: [sharedClaim(each)] } },
    ]),
    ...ownElements(family, chain, published).map(
      ({ name, verb, elements }): NftCommand => ({
        verb,
        object: elementsObject(family, name, elements),
      }),
    ),
  ]
}

/**
 * Removes an attachment in one family, or nothing where the transaction fails. ENOENT: its chain, and so all of it, or some of it
 * is not there. EBUSY: others have single addresses of a port of it.
 */
export function detachCommands(family: Family, chain: string, published: Published): readonly NftCommand[] {
  const at = { family, table: tableName } as const
  const shared = sharedPorts(family, published)
  return [
    ...ownElements(family, chain, published).map(
      ({ name, elements }): NftCommand => ({
        verb: 'delete',
        object: elementsObject(family, name, elements),
      }),
    ),
    ...removeChain(family, chain),
    ...shared.flatMap((each): readonly NftCommand[] => [
      { verb: 'delete', object: { kind: 'elements', ...at, map: 'claims', elements: [sharedClaim(each)] } },
      { verb: 'delete', object: { kind: 'chain', ...at, name: sharedChain(each) } },
    ]),
  ]
}

export function removeChain(family: Family, name: string): readonly NftCommand[] {
  const object = { kind: 'chain', family, table: tableName, name } as const
  return [
    { verb: 'flush', object },
    { verb: 'delete', object },
  ]
}

/** One for each port of which an attachment has single addresses. */
export function sharedPorts(family: Family, { mappings }: Published): readonly PortMapping[] {
  const single = mappings.filter((each) => isSingle(each) && familyIn(each) === family)
  return [...new Map(single.map((each) => [sharedChain(each), each])).values()]
}

export function sharedClaim(mapping: PortMapping): NftMapping {
  return { key: [mapping.protocol, mapping.hostPort], to: { goto: sharedChain(mapping) } }
}

export function elementsObject(
  family: Family,
  name: string,
  elements: readonly NftKey[] | readonly NftMapping[],
) {
  const at = { kind: 'elements', family, table: tableName } as const
  return areMappings(elements) ? { ...at, map: name, elements } : { ...at, set: name, elements }
}

export function areMappings(elements: OwnElements['elements']): elements is readonly NftMapping[] {
  const [first] = elements
  return typeof first === 'object' && 'to' in first
}

function mapOf(
  name: string,
  mappings: readonly PortMapping[],
  key: (mapping: PortMapping) => NftKey,
  to: (mapping: PortMapping) => NftMapping['to'],
): OwnElements {
  return { name, verb: 'create', elements: mappings.map((each) => ({ key: key(each), to: to(each) })) }
}

function setOf(
  name: string,
  mappings: readonly PortMapping[],
  key: (mapping: PortMapping) => NftKey,
): OwnElements {
  const keys = new Map(mappings.map((each) => [String(key(each)), key(each)]))
  return { name, verb: 'add', elements: [...keys.values()] }
}

function isSingle({ hostIp }: PortMapping): boolean {
  return hostIp !== undefined
}
