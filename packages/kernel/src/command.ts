import { prefixFamily } from '@podfabric/netaddr'
import type { Address } from './address.ts'
import type { LinkChange, LinkSpec } from './link.ts'
import type { FdbEntry, FdbKey, Neighbor, NeighborKey } from './neighbor.ts'
import { formatNft } from './nft-command.ts'
import type { Operation, OperationSite } from './operation.ts'
import type { RouteKey, Rule } from './route.ts'
import { quote } from './shell.ts'

/**
 * The command of iproute2, nft or sysctl that a person would have typed for an operation, quoted for a POSIX
 * shell; two joined by `&&` where Linux needs two. With `at`, run in that namespace by `nsenter`.
 */
export function formatCommand(operation: Operation, at: OperationSite = { netns: '' }): string {
  const enter = at.netns === '' ? [] : [`nsenter --net=${quote(at.netns)}`]
  return commandsOf(operation)
    .map((command) => [...enter, ...command].join(' '))
    .join(' && ')
}

type Words = readonly string[]

function commandsOf(operation: Operation): readonly Words[] {
  switch (operation.op) {
    case 'link.add':
      return linkAdd(operation.link)
    case 'link.set':
      return linkSet(operation.name, operation.change)
    case 'link.delete':
      return [['ip link delete dev', quote(operation.name)]]
    case 'address.add':
    case 'address.replace':
      return [address(verbOf(operation.op), operation.address)]
    case 'address.delete':
      return [['ip address delete', operation.address.address, 'dev', quote(operation.address.link)]]
    case 'route.add':
    case 'route.replace':
    case 'route.delete':
      return [route(verbOf(operation.op), operation.route)]
    case 'rule.add':
    case 'rule.delete':
      return [rule(verbOf(operation.op), operation.rule)]
    case 'neighbor.add':
    case 'neighbor.replace':
    case 'neighbor.delete':
      return [neighbor(verbOf(operation.op), operation.neighbor)]
    case 'fdb.add':
    case 'fdb.replace':
    case 'fdb.append':
    case 'fdb.delete':
      return [fdb(verbOf(operation.op), operation.entry)]
    case 'sysctl.set':
      return [['sysctl -w', quote(`${operation.name}=${operation.value}`)]]
    case 'nft.apply':
      return [['nft', quote(operation.commands.map(formatNft).join('; '))]]
  }
}

function verbOf(op: Operation['op']): string {
  return op.slice(op.indexOf('.') + 1)
}

function option(word: string, value: string | number | undefined): Words {
  return value === undefined ? [] : [word, typeof value === 'number' ? String(value) : quote(value)]
}

function flag(word: string, on: boolean | undefined): Words {
  return on === true ? [word] : []
}

function linkAdd(link: LinkSpec): readonly Words[] {
  const add = [
    'ip link add name',
    quote(link.name),
    ...option('mtu', link.mtu),
    ...option('address', link.mac),
    ...option('master', link.bridge),
    ...flag('up', link.up),
    'type',
    link.kind,
    ...linkData(link),
  ]
  // Given to `add`, an alias is passed over in silence.
  return link.alias === undefined
    ? [add]
    : [add, ['ip link set dev', quote(link.name), 'alias', quote(link.alias)]]
}

function linkData(link: LinkSpec): Words {
  switch (link.kind) {
    case 'veth': {
      const { name, mac, mtu, netns } = link.peer
      return [
        'peer name',
        quote(name),
        ...option('mtu', mtu),
        ...option('address', mac),
        ...option('netns', netnsName(netns)),
      ]
    }
    case 'bridge':
      return option('ageing_time', link.ageing === undefined ? undefined : link.ageing * 100)
    case 'vxlan':
      return [
        'id',
        String(link.vni),
        ...option('dstport', link.udpPort ?? 8472),
        ...option('local', link.local),
        ...option('dev', link.underlay),
        link.learning === false ? 'nolearning' : 'learning',
      ]
  }
}

function netnsName(netns: { readonly path: string } | undefined): string | undefined {
  return netns === undefined ? undefined : netns.path === '' ? '/proc/1/ns/net' : netns.path
}

function linkSet(name: string, change: LinkChange): readonly Words[] {
  const { up, mtu, mac, alias, name: newName, bridge, port, netns } = change
  const general = [
    ...option('name', newName),
    ...option('mtu', mtu),
    ...option('address', mac),
    ...option('alias', alias),
    ...(bridge === null ? ['nomaster'] : option('master', bridge)),
    ...(up === undefined ? [] : [up ? 'up' : 'down']),
    ...option('netns', netnsName(netns)),
  ]
  const portWords = [
    ...option('hairpin', onOff(port?.hairpin)),
    ...option('learning', onOff(port?.learning)),
    ...option('flood', onOff(port?.flood)),
    ...option('isolated', onOff(port?.isolated)),
  ]
  const commands: Words[] = []
  if (general.length > 0 || portWords.length === 0)
    commands.push(['ip link set dev', quote(name), ...general])
  if (portWords.length > 0) commands.push(['bridge link set dev', quote(newName ?? name), ...portWords])
  return commands
}

function onOff(value: boolean | undefined): string | undefined {
  return value === undefined ? undefined : value ? 'on' : 'off'
}

function address(verb: string, row: Address): Words {
  return [
    'ip address',
    verb,
    row.address,
    'dev',
    quote(row.link),
    ...option('scope', row.scope),
    ...flag('nodad', row.noDad),
    ...flag('noprefixroute', row.noPrefixRoute),
  ]
}

function route(verb: string, row: RouteKey): Words {
  const family = prefixFamily(row.destination)
  const viaOther = row.gateway !== undefined && row.gateway.includes(':') !== (family === 6)
  return [
    family === 6 ? 'ip -6 route' : 'ip route',
    verb,
    ...(row.type === undefined || row.type === 'unicast' ? [] : [row.type]),
    row.destination,
    ...option(viaOther ? 'via inet6' : 'via', row.gateway),
    ...option('dev', row.link),
    ...option('src', row.source),
    ...option('metric', row.metric),
    ...option('table', row.table),
    ...option('scope', row.scope),
    ...option('protocol', row.protocol),
    ...option('mtu', row.mtu),
    ...option('advmss', row.advmss),
    ...flag('onlink', row.onlink),
  ]
}

function rule(verb: string, row: Rule): Words {
  const { action, mark } = row
  return [
    row.family === 6 ? 'ip -6 rule' : 'ip rule',
    verb,
    'priority',
    String(row.priority),
    ...flag('not', row.invert),
    'from',
    row.from ?? 'all',
    ...option('to', row.to),
    ...(mark === undefined ? [] : ['fwmark', `0x${mark.value.toString(16)}/0x${mark.mask.toString(16)}`]),
    ...option('iif', row.input),
    ...option('oif', row.output),
    ...option('protocol', row.protocol),
    ...(typeof action === 'string' ? [action] : ['lookup', String(action.lookup)]),
  ]
}

function neighbor(verb: string, row: Neighbor & NeighborKey): Words {
  const words = ['ip neighbor', verb, ...flag('proxy', row.proxy), row.address, 'dev', quote(row.link)]
  if (verb === 'delete') return words
  return [
    ...words,
    ...option('lladdr', row.mac),
    ...(row.proxy === true ? [] : ['nud', row.state ?? 'permanent']),
    ...option('protocol', row.protocol),
  ]
}

function fdb(verb: string, entry: FdbEntry & FdbKey): Words {
  return [
    'bridge fdb',
    verb === 'delete' ? 'del' : verb,
    entry.mac,
    'dev',
    quote(entry.link),
    ...option('dst', entry.destination),
    entry.owner ?? 'self',
    ...(verb === 'delete' ? [] : [entry.state ?? 'permanent']),
  ]
}
