import type { RunningPod } from '@podfabric/cluster'
import { isHeadless, isReady, type Service } from '@podfabric/kube'
import { type Ip, isIp, parseIp } from '@podfabric/netaddr'
import { Failure } from '../failure.ts'
import { type Lab, runningPods } from './lab.ts'

/** A pod as people name it: `web`, or `shop/web` with its namespace. */
export function podNamed(lab: Lab, text: string): RunningPod {
  const [name = '', namespace = 'default'] = text.split('/').reverse()
  return lab.cluster.pod(name, namespace)
}

export function podLabel({ pod }: RunningPod): string {
  const { name, namespace } = pod.metadata
  return namespace === 'default' ? name : `${namespace}/${name}`
}

/** What a namespace is called in traces: its pod. */
export function placeNames(lab: Lab): (node: string, netns: string) => string {
  const names = new Map(
    runningPods(lab, { system: true }).map((running) => [
      running.sandbox.netns.path.split('/').at(-1),
      podLabel(running),
    ]),
  )
  return (node, netns) => (netns === '' ? node : `${node}  pod ${names.get(netns) ?? netns}`)
}

/** Where packets are to go. */
export interface Target {
  readonly label: string
  readonly address: Ip
  readonly port?: number
  /** Where a pod was named. */
  readonly pod?: RunningPod
}

/**
 * A destination as people name it, seen from a pod: a pod, an address, `svc/NAME` or a DNS name, each with `:PORT` behind it where a
 * port is meant. Names are looked up by the pod's own resolver.
 */
export async function targetOf(lab: Lab, from: RunningPod, text: string): Promise<Target> {
  const { host, port } = splitPort(text)
  const found = await addressOf(lab, from, host)
  return { ...found, ...(port !== undefined && { port }) }
}

function splitPort(text: string): { host: string; port?: number } {
  if (isIp(text)) return { host: text }
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text)
  if (!match) return { host: text }
  const port = Number(match[3])
  if (port < 1 || port > 65535) throw new Failure('usage', `${text}: a port is a number from 1 to 65535`)
  return { host: match[1] ?? match[2] ?? '', port }
}

async function addressOf(lab: Lab, from: RunningPod, host: string): Promise<Target> {
  if (isIp(host)) return { label: host, address: parseIp(host) }
  if (/^[\d.]+$/.test(host) || host.includes(':')) {
    throw new Failure(
      'usage',
      `${host}: expected an address such as 10.244.1.2 or fd00::1, [fd00::1]:80 with a port`,
    )
  }
  if (host.startsWith('svc/')) return serviceTarget(lab, from, host.slice(4))
  const [name = '', namespace = 'default'] = host.split('/').reverse()
  if (host.includes('.') || !lab.cluster.objects.get('Pod', name, namespace)) {
    if (!host.includes('.') && !lab.cluster.objects.get('Service', name, namespace)) podNamed(lab, host)
    return resolved(from, host)
  }
  const running = podNamed(lab, host)
  const [address] = running.sandbox.addresses
  if (address === undefined) throw new Failure('failed', `pod ${host} has no address`)
  return { label: podLabel(running), address, pod: running }
}

async function serviceTarget(lab: Lab, from: RunningPod, text: string): Promise<Target> {
  const [name = '', namespace = from.pod.metadata.namespace] = text.split('/').reverse()
  const service: Service | undefined = lab.cluster.objects.get('Service', name, namespace)
  if (!service) throw new Failure('usage', `there is no service ${namespace}/${name}`)
  if (!isHeadless(service) && service.spec.type !== 'ExternalName') {
    const why = `service ${namespace}/${name} has the address ${service.spec.clusterIP}, and nothing answers there yet: there is no service proxy`
    throw new Failure('failed', `${why}; name one of its pods, or make it headless (clusterIP: None)`)
  }
  return resolved(from, `${name}.${namespace}`)
}

async function resolved(from: RunningPod, name: string): Promise<Target> {
  const [address] = await from.resolver().lookup(name)
  if (address === undefined) throw new Failure('failed', `${name} has no address`)
  return { label: `${name} (${address})`, address }
}

/** The pod that a question without a sender is asked from: the first that is ready and asks the cluster's own servers. */
export function anyPod(lab: Lab): RunningPod {
  const found = runningPods(lab).find(({ pod }) => isReady(pod) && !pod.spec.hostNetwork)
  if (!found)
    throw new Failure('failed', 'no pod of the pod network is ready to ask from; apply one, or name one')
  return found
}
