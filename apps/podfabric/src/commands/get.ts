import { hasCondition, isTerminating } from '@podfabric/cluster'
import type { Namespace } from '@podfabric/kernel'
import {
  isHeadless,
  isReady,
  type KubeObject,
  type Node,
  type Pod,
  type Service,
  serviceNameOf,
} from '@podfabric/kube'
import { Failure } from '../failure.ts'
import type { Lab } from '../lab/lab.ts'
import { podNamed } from '../lab/pod-name.ts'
import { type Format, type Output, structured, table } from '../output.ts'

export const tables = ['nodes', 'pods', 'services', 'endpoints', 'links', 'routes'] as const

export interface GetOptions {
  readonly output: Format
  readonly namespace?: string | undefined
  readonly allNamespaces?: boolean | undefined
  /** links, routes: inside this pod instead of on the nodes. */
  readonly pod?: string | undefined
}

interface Listing {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** What JSON and YAML show. */
  readonly items: readonly unknown[]
}

/** Lists one kind of thing. JSON and YAML give the objects whole. */
export async function get(
  lab: Lab,
  what: (typeof tables)[number],
  options: GetOptions,
  output: Output,
): Promise<void> {
  if (options.pod !== undefined && what !== 'links' && what !== 'routes')
    throw new Failure('usage', `get ${what}: --pod goes with links and routes only`)
  const { columns, rows, items } = await listing(lab, what, options)
  if (options.output !== 'table') output.line(structured(items, options.output))
  else if (rows.length === 0)
    output.note(`no ${what}${options.namespace ? ` in namespace ${options.namespace}` : ''}`)
  else output.line(table(columns, rows))
}

async function listing(lab: Lab, what: (typeof tables)[number], options: GetOptions): Promise<Listing> {
  switch (what) {
    case 'nodes':
      return objects(lab.cluster.objects.list('Node'), ['NAME', 'STATUS', 'ADDRESSES', 'PODS'], (node) =>
        nodeRow(node, lab),
      )
    case 'pods':
      return objects(
        lab.cluster.objects.list('Pod', namespaceOf(options)),
        ['NAMESPACE', 'NAME', 'READY', 'STATUS', 'IP', 'NODE'],
        podRow,
      )
    case 'services':
      return objects(
        lab.cluster.objects.list('Service', namespaceOf(options)),
        ['NAMESPACE', 'NAME', 'TYPE', 'ADDRESS', 'PORTS'],
        serviceRow,
      )
    case 'endpoints':
      return endpoints(lab, options)
    case 'links':
      return kernelRows(lab, options, ['NAME', 'KIND', 'STATE', 'MTU', 'MAC', 'ADDRESSES'], linkRows)
    case 'routes':
      return kernelRows(lab, options, ['DESTINATION', 'GATEWAY', 'LINK', 'PROTOCOL'], routeRows)
  }
}

/** Everything outside the system's own namespace, unless one is named or all are wanted. */
function namespaceOf({ namespace, allNamespaces }: GetOptions): string | undefined {
  return allNamespaces ? undefined : (namespace ?? 'default')
}

function objects<O extends KubeObject>(
  items: readonly O[],
  columns: readonly string[],
  row: (object: O) => readonly string[],
): Listing {
  return { columns, rows: items.map(row), items }
}

function nodeRow({ metadata, status, spec }: Node, lab: Lab): readonly string[] {
  const ready = hasCondition(status?.conditions, 'Ready') ? 'Ready' : 'NotReady'
  const pods = lab.cluster.objects.list('Pod').filter(({ spec }) => spec.nodeName === metadata.name).length
  const addresses = status?.addresses.map(({ address }) => address) ?? []
  return [
    metadata.name,
    spec.unschedulable ? `${ready},SchedulingDisabled` : ready,
    addresses.join(','),
    String(pods),
  ]
}

function podRow(pod: Pod): readonly string[] {
  const { metadata, status, spec } = pod
  const state = isTerminating(pod) ? 'Terminating' : (status?.reason ?? status?.phase ?? 'Pending')
  const ips = status?.podIPs.map(({ ip }) => ip).join(',') || '-'
  return [metadata.namespace, metadata.name, isReady(pod) ? 'yes' : 'no', state, ips, spec.nodeName ?? '-']
}

function serviceRow(service: Service): readonly string[] {
  const { metadata, spec } = service
  const address = isHeadless(service) ? 'None' : (spec.externalName ?? spec.clusterIPs.join(','))
  const ports = spec.ports.map(({ port, protocol }) => `${port}/${protocol}`).join(',')
  return [metadata.namespace, metadata.name, spec.type, address || '-', ports || '-']
}

function endpoints(lab: Lab, options: GetOptions): Listing {
  const slices = lab.cluster.objects.list('EndpointSlice', namespaceOf(options))
  const rows = slices.flatMap((slice) =>
    slice.endpoints.map(({ addresses, conditions, targetRef }) => [
      slice.metadata.namespace,
      serviceNameOf(slice) ?? '-',
      addresses.join(','),
      conditions.terminating ? 'terminating' : conditions.ready ? 'ready' : 'not ready',
      targetRef?.name ?? '-',
    ]),
  )
  return { columns: ['NAMESPACE', 'SERVICE', 'ADDRESS', 'STATE', 'POD'], rows, items: slices }
}

interface KernelRow {
  readonly cells: readonly string[]
  readonly item: object
}

async function kernelRows(
  lab: Lab,
  options: GetOptions,
  columns: readonly string[],
  rowsOf: (namespace: Namespace) => Promise<readonly KernelRow[]>,
): Promise<Listing> {
  const places = options.pod === undefined ? nodePlaces(lab) : [podPlace(lab, options.pod)]
  const found = await Promise.all(
    places.map(async ({ name, open }) => {
      const { namespace, close } = open()
      try {
        return (await rowsOf(namespace)).map(({ cells, item }) => ({
          cells: [name, ...cells],
          item: { place: name, ...item },
        }))
      } finally {
        await close()
      }
    }),
  )
  const rows = found.flat()
  return {
    columns: ['PLACE', ...columns],
    rows: rows.map(({ cells }) => cells),
    items: rows.map(({ item }) => item),
  }
}

function nodePlaces({ cluster }: Lab) {
  return cluster.nodes().map((name) => ({
    name,
    open: () => {
      const { kernel } = cluster.node(name)
      const namespace = kernel.in(kernel.netns.host)
      return { namespace, close: () => namespace[Symbol.asyncDispose]() }
    },
  }))
}

function podPlace(lab: Lab, name: string) {
  const { namespace } = podNamed(lab, name)
  return { name, open: () => ({ namespace, close: async () => undefined }) }
}

async function linkRows(namespace: Namespace): Promise<readonly KernelRow[]> {
  const [links, addresses] = await Promise.all([namespace.links.list(), namespace.addresses.list()])
  return links.map((link) => {
    const own = addresses.filter((row) => row.link === link.name).map(({ address }) => address)
    const state = link.running ? 'up' : link.up ? 'no carrier' : 'down'
    return {
      cells: [link.name, link.kind, state, String(link.mtu), link.mac, own.join(',') || '-'],
      item: { ...link, addresses: own },
    }
  })
}

/** As `ip route` shows them: the main table, without the kernel's own rows in table `local` and without link-local routes. */
async function routeRows(namespace: Namespace): Promise<readonly KernelRow[]> {
  const routes = (await namespace.routes.list()).filter(
    ({ table = mainTable, destination }) => table === mainTable && destination !== 'fe80::/64',
  )
  return routes.map((route) => ({
    cells: [
      /^(0\.0\.0\.0|::)\/0$/.test(route.destination) ? 'default' : route.destination,
      route.gateway ?? '-',
      route.link ?? '-',
      protocolName(route.protocol),
    ],
    item: route,
  }))
}

/** rtnetlink(7): `RT_TABLE_MAIN`. */
const mainTable = 254

/** `RTPROT_*` of rtnetlink(7), and Podfabric's own. */
function protocolName(protocol: number | undefined): string {
  const names: Readonly<Record<number, string>> = { 2: 'kernel', 3: 'boot', 4: 'static', 80: 'podfabric' }
  return protocol === undefined ? '-' : (names[protocol] ?? String(protocol))
}
