import type { AddResult } from '@podfabric/cni'
import type { Kernel, Namespace, Netns } from '@podfabric/kernel'
import type { Pod } from '@podfabric/kube'
import { addressOf, type Ip } from '@podfabric/netaddr'
import type { PodNetwork, SandboxId } from './pod-network.ts'

/** A pod's namespace, joined to the network: all containers of the pod live in it. */
export interface Sandbox {
  readonly id: SandboxId
  readonly netns: Netns
  /** A handle on the namespace; closed with the sandbox. */
  readonly namespace: Namespace
  /** The pod's addresses, in the plugin's order. */
  readonly addresses: readonly Ip[]
  /** Leaves the network and takes the namespace away. Does all of it, then throws what failed. */
  remove(): Promise<void>
}

export interface SandboxOptions {
  readonly kernel: Kernel
  readonly network: PodNetwork
  readonly random: () => number
}

/** Makes the namespace first, as CNI asks of a runtime, then joins it. When it fails, nothing is left behind. */
export async function createSandbox(pod: Pod, options: SandboxOptions): Promise<Sandbox> {
  const { kernel, network, random } = options
  const containerId = randomId(random)
  const name = `cni-${containerId.slice(0, 16)}`
  const netns = await kernel.netns.create(name)
  const id: SandboxId = { containerId, netns: netns.path, args: argsOf(pod, containerId) }
  const namespace = kernel.in(netns)

  async function removeNamespace() {
    const outcomes = await Promise.allSettled([namespace[Symbol.asyncDispose](), kernel.netns.delete(name)])
    return [...outcomes, ...(await Promise.allSettled([netns[Symbol.asyncDispose]()]))]
  }

  try {
    const result = await network.attach(id)
    return {
      id,
      netns,
      namespace,
      addresses: podAddresses(result),
      async remove() {
        const left = await Promise.allSettled([network.detach(id)])
        throwFirst([...left, ...(await removeNamespace())], `sandbox ${containerId} could not be removed`)
      },
    }
  } catch (error) {
    await removeNamespace()
    throw error
  }
}

/** Addresses inside the sandbox: the host-side ones that a plugin may list are not the pod's. */
function podAddresses({ ips, interfaces }: AddResult): readonly Ip[] {
  return ips
    .filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.sandbox !== undefined)
    .map((ip) => addressOf(ip.address))
}

function argsOf(pod: Pod, containerId: string): Readonly<Record<string, string>> {
  const { name, namespace, uid } = pod.metadata
  return {
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: namespace,
    K8S_POD_NAME: name,
    K8S_POD_INFRA_CONTAINER_ID: containerId,
    ...(uid !== undefined && { K8S_POD_UID: uid }),
  }
}

/** 64 hexadecimal digits, as container runtimes have them. */
function randomId(random: () => number): string {
  return Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join('')
}

function throwFirst(outcomes: readonly PromiseSettledResult<unknown>[], message: string): void {
  const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (errors.length > 0) throw new AggregateError(errors, message)
}
