import { isJsonObject, type Json, type ListedPlugin } from '@podfabric/cni'
import {
  addressAt,
  type IfAddress,
  ifAddressFrom,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixLength,
} from '@podfabric/netaddr'
import type { ListFile } from '../list-file.ts'
import type { RecordedState } from '../recorded-state.ts'

/** What a network of ours needs of its node, as its list and the state say. */
export interface PodNetwork {
  readonly file: string
  readonly name: string
  readonly type: 'bridge' | 'flannel'
  readonly bridge: string
  /** The node's part of the network. */
  readonly subnets: readonly Prefix[]
  /** Addresses that the bridge has as the pods' gateway. */
  readonly gateways: readonly IfAddress[]
  /** Octets of the pods' links; undefined where the kernel chooses. */
  readonly mtu: number | undefined
  /** Name of the tunnel's link. */
  readonly tunnel: string | undefined
  /** The link between the nodes, where the list names one. */
  readonly underlay: string | undefined
  /** Whether the node's part of the network was leased; undefined where none has to be. */
  readonly leased: boolean | undefined
  readonly families: readonly (4 | 6)[]
}

export function podNetworks(
  files: readonly ListFile[],
  state: RecordedState,
  node: string,
): readonly PodNetwork[] {
  return files.flatMap(({ path, list, ours }) => {
    if (list === undefined || !ours) return []
    return list.plugins.flatMap((plugin) => {
      if (plugin.type === 'bridge') return [bridgeNetwork(path, list.name, plugin)]
      // Without `network` it is a list for Flannel's own plugin.
      if (plugin.type !== 'flannel' || plugin.network === undefined) return []
      return [flannelNetwork(path, list.name, plugin, state.value(recordKey(list.name, node)))]
    })
  })
}

function recordKey(network: string, node: string): string {
  return `networks/${network}/node-records/${node}`
}

function bridgeNetwork(file: string, name: string, plugin: ListedPlugin): PodNetwork {
  const ranges = rangesOf(plugin.ipam)
  const isGateway = plugin.isGateway === true || plugin.isDefaultGateway === true
  return {
    file,
    name,
    type: 'bridge',
    bridge: text(plugin.bridge) ?? 'cni0',
    subnets: ranges.map(({ subnet }) => subnet),
    gateways: isGateway ? ranges.map(({ gateway }) => gateway) : [],
    mtu: positive(plugin.mtu),
    tunnel: undefined,
    underlay: undefined,
    leased: undefined,
    families: familiesOf(ranges.map(({ subnet }) => subnet)),
  }
}

function flannelNetwork(
  file: string,
  name: string,
  plugin: ListedPlugin,
  record: string | undefined,
): PodNetwork {
  const backend = isJsonObject(plugin.backend) ? plugin.backend : { type: 'vxlan' }
  const delegate = isJsonObject(plugin.delegate) ? plugin.delegate : {}
  const { subnet, mtu } = recordIn(record)
  return {
    file,
    name,
    type: 'flannel',
    bridge: text(delegate.bridge) ?? 'cni0',
    subnets: subnet === undefined ? [] : [subnet],
    gateways: subnet === undefined ? [] : [ifAddressFrom(addressAt(subnet, 1), prefixLength(subnet))],
    mtu: positive(delegate.mtu) ?? mtu,
    tunnel:
      backend.type === 'vxlan'
        ? `flannel.${positive(backend.vni) ?? (backend.vni === 0 ? 0 : 1)}`
        : undefined,
    underlay: text(plugin.interface),
    leased: subnet !== undefined,
    families: familiesOf(readable(() => parsePrefix(String(plugin.network)))),
  }
}

/** The keys of host-local, whose own check of them is that of the list. */
function rangesOf(ipam: Json | undefined): readonly { subnet: Prefix; gateway: IfAddress }[] {
  if (!isJsonObject(ipam)) return []
  const sets = [[ipam], ...(Array.isArray(ipam.ranges) ? (ipam.ranges as readonly Json[]) : [])]
  return sets.flat().flatMap((range) => {
    if (!isJsonObject(range)) return []
    const { subnet: prefix, gateway: named } = range
    return readable(() => {
      const subnet = parsePrefix(String(prefix))
      const gateway = text(named) === undefined ? addressAt(subnet, 1) : parseIp(String(named))
      return { subnet, gateway: ifAddressFrom(gateway, prefixLength(subnet)) }
    })
  })
}

/** As the agent writes it. One that is damaged counts as none, which is what ADD makes of it too. */
function recordIn(record: string | undefined): { readonly subnet?: Prefix; readonly mtu?: number } {
  const [read = {}] = readable(() => {
    const { subnet, mtu } = JSON.parse(record ?? '')
    return { subnet: parsePrefix(String(subnet)), mtu: Number(mtu) }
  })
  return read
}

/** The value; none where it cannot be read, which the check of the lists' contents says with the key. */
function readable<T>(read: () => T): readonly T[] {
  try {
    return [read()]
  } catch {
    return []
  }
}

const familiesOf = (subnets: readonly Prefix[]): readonly (4 | 6)[] => [
  ...new Set(subnets.map((subnet): 4 | 6 => (subnet.includes(':') ? 6 : 4))),
]

const text = (value: Json | undefined) => (typeof value === 'string' && value !== '' ? value : undefined)
const positive = (value: Json | undefined) => (typeof value === 'number' && value > 0 ? value : undefined)
