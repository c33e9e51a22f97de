import type { Sockets } from '@podfabric/kernel'
import type { Container, PortReference, Probe } from '@podfabric/kube'
import { type Ip, isIp } from '@podfabric/netaddr'
import { httpGet } from './http-client.ts'

export interface ProbeTarget {
  /** Of the node's own namespace: probes come from there, as a kubelet's do. */
  readonly sockets: Pick<Sockets, 'connect'>
  /** The pod's first. */
  readonly address: Ip
  readonly container: Container
  /** Aborted when the probe's time is over. */
  readonly signal: AbortSignal
}

/**
 * Runs a probe once; why it failed, or undefined. `httpGet` wants a status from 200 to 399, `tcpSocket` a connection, and so
 * does `httpGet` with scheme HTTPS, for nothing simulated speaks TLS. A `host` that is an address is asked instead of the
 * pod. `exec` and `grpc` have nobody to run them in a simulated container, and pass while it runs.
 */
export async function probe(action: Probe, target: ProbeTarget): Promise<string | undefined> {
  try {
    if ('tcpSocket' in action) await connect(action.tcpSocket, target)
    else if ('httpGet' in action && action.httpGet.scheme === 'HTTPS') await connect(action.httpGet, target)
    else if ('httpGet' in action) return await get(action.httpGet, target)
    return undefined
  } catch (error) {
    // Whatever stood in the way, the container did not answer: that is the probe's result.
    return error instanceof Error ? error.message : String(error)
  }
}

interface Where {
  readonly port: PortReference
  readonly host?: string
}

async function connect(where: Where, target: ProbeTarget): Promise<void> {
  const connection = await target.sockets.connect(endpointOf(where, target), { signal: target.signal })
  await connection.close()
}

async function get(
  where: Where & { readonly path: string },
  target: ProbeTarget,
): Promise<string | undefined> {
  const { sockets, signal } = target
  const { status } = await httpGet(sockets, endpointOf(where, target), { path: where.path, signal })
  return status >= 200 && status < 400 ? undefined : `${where.path} answered with status ${status}`
}

function endpointOf({ port, host }: Where, { address, container }: ProbeTarget) {
  return { address: host !== undefined && isIp(host) ? host : address, port: portOf(port, container) }
}

function portOf(reference: PortReference, container: Container): number {
  if (typeof reference === 'number') return reference
  const port = container.ports.find(({ name }) => name === reference)
  if (!port) throw new RangeError(`container ${container.name} has no port named ${reference}`)
  return port.containerPort
}
