import { podResolvConf, type Resolver, resolver } from '@podfabric/dns'
import type { Clock, Namespace } from '@podfabric/kernel'
import type { Pod } from '@podfabric/kube'
import type { Ip } from '@podfabric/netaddr'
import type { Sandbox } from './sandbox.ts'

/** A pod that runs, seen from the inside. */
export interface RunningPod {
  readonly pod: Pod
  readonly node: string
  readonly sandbox: Sandbox
  /** The sandbox's namespace; belongs to the pod, do not dispose it. */
  readonly namespace: Namespace
  /**
   * A resolver with the pod's resolv.conf as it is now, asking from inside the pod. With a cache, answers are kept for as long
   * as they say.
   */
  resolver(options?: { readonly cache?: boolean }): Resolver
}

export interface RunningPodOptions {
  readonly pod: Pod
  readonly node: string
  readonly sandbox: Sandbox
  readonly clock: Clock
  readonly random: () => number
  readonly zone: string
  readonly nameservers: () => readonly Ip[]
}

export function runningPod({
  pod,
  node,
  sandbox,
  clock,
  random,
  zone,
  nameservers,
}: RunningPodOptions): RunningPod {
  const { namespace } = sandbox
  return {
    pod,
    node,
    sandbox,
    namespace,
    resolver({ cache = false } = {}) {
      const conf = podResolvConf(pod, { nameservers: nameservers(), zone, node: noResolvConf })
      return resolver({ conf, sockets: namespace.sockets, clock, random, cache })
    },
  }
}

/** Nodes of a simulation have no resolv.conf of their own. */
const noResolvConf = { nameservers: [], search: [], ndots: 1, timeout: 5000, attempts: 2 }
