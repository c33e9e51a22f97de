import type { Endpoint } from '@podfabric/kernel'
import { parseIp } from '@podfabric/netaddr'
import { ClusterError } from './cluster-error.ts'

/** What a simulated container says of itself and of who asked. */
export interface Answer {
  readonly pod: string
  readonly namespace: string
  readonly container: string
  readonly node: string
  /** The port that was asked. */
  readonly port: number
  /** The asker's address and port as this container sees them. */
  readonly client: Endpoint
}

/** One line of JSON. */
export function formatAnswer({ pod, namespace, container, node, port, client }: Answer): Uint8Array {
  const { address, port: clientPort } = client
  const answer: Answer = { pod, namespace, container, node, port, client: { address, port: clientPort } }
  return new TextEncoder().encode(`${JSON.stringify(answer)}\n`)
}

/** CLUSTER_BAD_ANSWER where it is none: something else than a simulated container has answered. */
export function parseAnswer(text: string): Answer {
  try {
    const { pod, namespace, container, node, port, client } = objectIn(JSON.parse(text))
    const { address, port: clientPort } = objectIn(client)
    return {
      pod: textIn(pod),
      namespace: textIn(namespace),
      container: textIn(container),
      node: textIn(node),
      port: numberIn(port),
      client: { address: parseIp(textIn(address)), port: numberIn(clientPort) },
    }
  } catch (cause) {
    const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
    throw new ClusterError('CLUSTER_BAD_ANSWER', `no answer of a simulated container: ${shown}`, { cause })
  }
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new RangeError('expected an object')
  return { ...value }
}

function textIn(value: unknown): string {
  if (typeof value !== 'string') throw new RangeError('expected a text')
  return value
}

function numberIn(value: unknown): number {
  if (typeof value !== 'number') throw new RangeError('expected a number')
  return value
}
