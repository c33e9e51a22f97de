import type { Sockets } from '@podfabric/kernel'
import type { Container, PortReference, Probe } from '@podfabric/kube'
import type { Ip } from '@podfabric/netaddr'
import { httpGet } from './http-client.ts'

/**
 * Runs a probe once from the node's own namespace, as a kubelet does. `httpGet` wants a status from 200 to 399, `tcpSocket` a
 * connection. `exec` and `grpc` have nobody to run them in a simulated container, and pass while it runs.
 */
export async function probe(
  action: Probe,
  target: {
    readonly sockets: Sockets
    readonly address: Ip
    readonly container: Container
    readonly signal: AbortSignal
  },
): Promise<boolean> {
  const { sockets, address, container, signal } = target
  try {
    if ('tcpSocket' in action) {
      const connection = await sockets.connect(
        { address, port: portOf(action.tcpSocket.port, container) },
        { signal },
      )
      await connection.close()
      return true
    }
    if ('httpGet' in action) {
      const { port, path } = action.httpGet
      const { status } = await httpGet(sockets, { address, port: portOf(port, container) }, { path, signal })
      return status >= 200 && status < 400
    }
    return true
  } catch {
    // Whatever stood in the way, the container did not answer: that is the probe's result.
    return false
  }
}

function portOf(reference: PortReference, container: Container): number {
  if (typeof reference === 'number') return reference
  const port = container.ports.find(({ name }) => name === reference)
  if (!port) throw new RangeError(`container ${container.name} has no port named ${reference}`)
  return port.containerPort
}
