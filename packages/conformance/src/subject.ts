import type { Exec, Json, JsonObject, Log, PluginFactory } from '@podfabric/cni'
import type { Clock, Kernel } from '@podfabric/kernel'
import type { Store } from '@podfabric/store'

/** What the suite is put to: plugins in the process, or executables. */
export type Subject = FactorySubject | ExecutableSubject

interface SubjectFacts {
  /**
   * The network list, or the configuration of a single plugin, as an administrator would write it: an object, or its JSON.
   * Its first plugin is the one whose contract is tested; the others are run with it.
   */
  readonly config: Json | string
  /** The same network with few addresses, and how many: then exhaustion is tested. */
  readonly small?: { readonly config: Json | string; readonly addresses: number }
  /** Whether pods on different nodes reach each other. Default: whether a plugin has a controller. */
  readonly multiNode?: boolean
  /** CNI_IFNAME. Default `eth0`. */
  readonly ifName?: string
  /** For reports. Default: the type of the first plugin. */
  readonly name?: string
}

/** A plugin package's factory. It runs in the process through the process edge of `cni`: octets in, octets out. */
export interface FactorySubject extends SubjectFacts {
  readonly kind: 'factory'
  readonly factory: PluginFactory
  /** The other plugins of the list, and those that are delegated to, by their types. */
  readonly plugins?: Readonly<Record<string, PluginFactory>>
}

/** Anything that runs plugins, most often executables: see `executables` of `@podfabric/conformance/node`. */
export interface ExecutableSubject extends SubjectFacts {
  readonly kind: 'executable'
  /** Makes what runs the plugins of one node. */
  readonly exec: (node: SubjectNode) => Exec
  /** CNI_PATH. Default: none. */
  readonly path?: readonly string[]
}

/** A node as plugins find it. */
export interface SubjectNode {
  readonly name: string
  readonly kernel: Kernel
  /** Shared by all nodes. */
  readonly store: Store
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  /** Keeps virtual time from running on while something outside the process works. Does nothing on real time. */
  hold(): Disposable
}

/** A network list as it is sent, before a plugin's share of it is taken. */
export interface SubjectList {
  readonly name: string
  readonly cniVersion: string
  readonly plugins: readonly (JsonObject & { readonly type: string })[]
}
