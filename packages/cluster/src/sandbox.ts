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
  /** Leaves the network and takes the namespace away. Does all of it, then throws what failed; may be repeated then. */
  remove(): Promise<void>
}

export interface SandboxOptions {
  readonly kernel: Kernel
  readonly network: PodNetwork
  readonly random: () => number
  /** The node's own: those of pods in the node's own namespace. */
  readonly nodeAddresses: readonly Ip[]
}

/**
 * Makes the namespace first, as CNI asks of a runtime, then joins it. When it fails, nothing is left behind. A pod with
 * `hostNetwork` lives in the node's own namespace, and no plugin is asked.
 */
export async function createSandbox(pod: Pod, options: SandboxOptions): Promise<Sandbox> {
  const { kernel, network, random, nodeAddresses } = options
  const containerId = randomId(random)
  const args = argsOf(pod, containerId)
  if (pod.spec.hostNetwork) {
    const netns = kernel.netns.host
    const namespace = kernel.in(netns)
    const remove = removal(containerId, [() => namespace[Symbol.asyncDispose]()])
    return {
      id: { containerId, netns: netns.path, args },
      netns,
      namespace,
      addresses: nodeAddresses,
      remove,
    }
  }
  const name = `cni-${containerId.slice(0, 16)}`
  const netns = await kernel.netns.create(name)
  const namespace = kernel.in(netns)
  const id: SandboxId = { containerId, netns: netns.path, args }
  const emptied = [
    () => namespace[Symbol.asyncDispose](),
    () => kernel.netns.delete(name),
    () => netns[Symbol.asyncDispose](),
  ]
  try {
    const addresses = podAddresses(await network.attach(id))
    const remove = removal(containerId, [() => network.detach(id), ...emptied])
    return { id, netns, namespace, addresses, remove }
  } catch (error) {
    await removal(containerId, emptied)().catch((left: unknown) => {
      throw new AggregateError([error, left], error instanceof Error ? error.message : String(error))
    })
    throw error
  }
}

/** Takes every step, whatever became of those before, and only those that have not succeeded yet. */
function removal(containerId: string, steps: readonly (() => PromiseLike<void>)[]): () => Promise<void> {
  let left = steps
  return async () => {
    const failed: (() => PromiseLike<void>)[] = []
    const errors: unknown[] = []
    for (const step of left) {
      try {
        await step()
      } catch (error) {
        failed.push(step)
        errors.push(error)
      }
    }
    left = failed
    const [first] = errors
    if (errors.length === 0) return
    const reason = first instanceof Error ? first.message : String(first)
    throw new AggregateError(errors, `sandbox ${containerId.slice(0, 16)} could not be removed: ${reason}`)
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
