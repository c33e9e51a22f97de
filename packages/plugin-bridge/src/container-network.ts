import {
  CniError,
  inSandbox,
  type Kernel,
  type Resource,
  type ResultIp,
  type ResultRoute,
} from '@podfabric/cni'
import { type KernelError, type Operation, ownership, type Route } from '@podfabric/kernel'
import { prefixFamily } from '@podfabric/netaddr'
import type { BridgeConfig } from './config.ts'
import { quietIpv6 } from './quiet-ipv6.ts'

/** What the container's interface shall have. */
export interface ContainerNetwork {
  readonly ips: readonly ResultIp[]
  readonly routes: readonly ResultRoute[]
}

/** The container's interface up, with its addresses and routes. They go with it. */
export function containerNetwork(
  kernel: Kernel,
  { ifName, netns = '' }: { readonly ifName: string; readonly netns?: string },
  { disableContainerInterface: down }: Pick<BridgeConfig, 'disableContainerInterface'>,
  wanted: () => ContainerNetwork,
): Resource {
  return {
    name: `addresses and routes of ${ifName}`,
    ensure: () =>
      inSandbox(kernel, netns, async (sandbox) => {
        const { ips, routes } = wanted()
        if (ips.some(({ address }) => prefixFamily(address) === 6)) await quietIpv6(sandbox, ifName)
        const operations: Operation[] = [
          ...(down ? [] : [{ op: 'link.set', name: ifName, change: { up: true } } as const]),
          ...ips.map(
            ({ address }): Operation => ({
              op: 'address.add',
              // IPAM has made sure that nobody else has it.
              address: { link: ifName, address, ...(prefixFamily(address) === 6 && { noDad: true }) },
            }),
          ),
          ...routes.map((route): Operation => ({ op: 'route.add', route: kernelRoute(route, ifName) })),
        ]
        for (const [index, outcome] of (await sandbox.apply(operations)).entries()) {
          if (outcome.ok || isTaken(operations[index], outcome.error)) continue
          throw outcome.error
        }
      }),
    verify: () =>
      inSandbox(kernel, netns, async (sandbox) => {
        const { ips, routes } = wanted()
        const addresses = await sandbox.addresses.list()
        for (const { address } of ips) {
          if (!addresses.some((row) => row.link === ifName && row.address === address)) {
            throw new CniError('CNI_CHECK_FAILED', `${ifName} has no address ${address}`)
          }
        }
        // A later plugin of the chain may have changed where a route leads (SPEC 1.1.0, CHECK), but not that there is one.
        const rows = await sandbox.routes.list()
        for (const { destination } of routes) {
          if (!rows.some((row) => row.destination === destination)) {
            throw new CniError('CNI_CHECK_FAILED', `there is no route to ${destination}`)
          }
        }
      }),
    remove: async () => undefined,
  }
}

/** A route of an interface that came before: it stays the container's. */
function isTaken(operation: Operation | undefined, { code }: KernelError): boolean {
  return operation?.op === 'route.add' && code === 'EEXIST'
}

function kernelRoute(
  { destination, gateway, priority, table, mtu, advmss, scope }: ResultRoute,
  link: string,
): Route {
  return {
    destination,
    link,
    protocol: ownership.routeProtocol,
    ...(gateway && { gateway }),
    ...(priority !== undefined && { metric: priority }),
    ...(table !== undefined && { table }),
    ...(mtu !== undefined && { mtu }),
    ...(advmss !== undefined && { advmss }),
    ...(scope !== undefined && { scope: scopes[scope] ?? 'global' }),
  }
}

const scopes: Readonly<Record<number, NonNullable<Route['scope']>>> = {
  0: 'global',
  253: 'link',
  254: 'host',
}
