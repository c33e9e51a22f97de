import type { Clock, Kernel } from '@podfabric/kernel'
import { memoryStore, type Store } from '@podfabric/store'
import type { Features } from '../feature.ts'
import type { Subject, SubjectList } from '../subject.ts'
import { parseSubjectList } from '../subject-list.ts'
import { caller } from './caller.ts'
import { capturedProbes } from './captured-probes.ts'
import type { Exchange } from './exchange.ts'
import { type Expectations, expectations } from './expectations.ts'
import { type PluginNode, pluginNode } from './node.ts'
import type { Place, Pod } from './place.ts'
import { type Probes, probesOn } from './probes.ts'
import { seededRandom } from './random.ts'
import { difference, type Snapshot, snapshotOf, snapshotOfNode } from './snapshot.ts'
import { type Verbs, verbsOver } from './verbs.ts'
import type { World } from './world.ts'

/** A node in hand: its plugins, and its own namespace. */
export interface Node extends PluginNode, Place {}

/** What a case works with: a fresh world with the subject's plugins on every node. */
export interface Harness extends Verbs, Probes, Expectations {
  readonly features: Features
  readonly seed: number
  readonly clock: Clock
  readonly list: SubjectList
  /** CNI_IFNAME. */
  readonly ifName: string
  /** The versions that VERSION lists. */
  readonly versions: readonly string[]
  /** How many addresses the small configuration has; 0 where there is none. */
  readonly smallPool: number
  /** The first node. */
  readonly node: Node
  readonly nodes: readonly Node[]
  /** Every call so far, in order. */
  readonly transcript: readonly Exchange[]
  /** What was captured at both ends of the last probe, unless a plugin was called since. */
  readonly packets: readonly string[]
  /** A sandbox with only `lo` in it, up. */
  pod(node?: Node): Promise<Pod>
  /** Deletes the sandbox, with everything in it. */
  drop(pod: Pod): Promise<void>
  /** What the node holds now: its namespace's tables, names of namespaces, and the plugins' store. */
  snapshot(node?: Node): Promise<Snapshot>
  inside(place: Place): Promise<Snapshot>
  difference: typeof difference
  /**
   * What the node holds once a pod has been attached and detached, so that what belongs to the network as a whole (a bridge,
   * forwarding) is there. The sandbox stays.
   */
  baseline(node?: Node): Promise<Snapshot>
}

export interface HarnessOptions {
  readonly subject: Subject
  readonly features: Features
  readonly versions: readonly string[]
  readonly world: World
  readonly seed: number
  readonly nodes: number
  /** The configuration with few addresses instead of the usual one. */
  readonly small?: boolean
}

export interface OpenHarness extends AsyncDisposable {
  readonly harness: Harness
  /** Starts the controllers of the network on all nodes. */
  start(): Promise<void>
}

export async function openHarness(options: HarnessOptions): Promise<OpenHarness> {
  const { subject, world, seed, features, versions } = options
  const { clock } = world
  const list = parseSubjectList(
    options.small === true && subject.small ? subject.small.config : subject.config,
  )
  const store = memoryStore({ clock })
  const kept: AsyncDisposable[] = []
  const transcript: Exchange[] = []
  const kernels = await world.nodes(options.nodes)
  const nodes = kernels.map((kernel, index) => {
    const name = `node-${index + 1}`
    const random = seededRandom(seed + index)
    return inHand(pluginNode({ subject, list, name, kernel, store, world, random }), kernel, kept)
  })
  const [node] = nodes
  if (node === undefined) throw new RangeError('a harness has one node or more')
  const nodeOf = (name: string) => nodes.find((each) => each.name === name) ?? node
  const { ifName = 'eth0' } = subject
  const path = subject.kind === 'executable' ? (subject.path ?? []) : []
  const captured = capturedProbes(probesOn(clock))
  const record = (exchange: Exchange) => {
    transcript.push(exchange)
    captured.forget()
  }
  const call = caller({ list, path, clock, record })
  const verbs = verbsOver({ call, list, ifName, nodeOf })
  const sandboxes = sandboxesOf({ seed, lo: ifName !== 'lo', kept })

  const harness: Harness = {
    ...verbs,
    ...captured.probes,
    ...expectations,
    features,
    seed,
    clock,
    list,
    ifName,
    versions,
    smallPool: subject.small?.addresses ?? 0,
    node,
    nodes,
    transcript,
    get packets() {
      return captured.packets
    },
    pod: (on = node) => sandboxes.create(on),
    drop: (pod) => sandboxes.drop(nodeOf(pod.node), pod),
    snapshot: (on = node) => snapshotOfNode(on.kernel, on.at, store),
    inside: (place) => snapshotOf(place.at),
    difference,
    async baseline(on = node) {
      const pod = await sandboxes.create(on)
      await verbs.del(await verbs.add(pod))
      return snapshotOfNode(on.kernel, on.at, store)
    },
  }
  return {
    harness,
    start: async () => {
      await Promise.all(nodes.map((each) => each.start()))
    },
    [Symbol.asyncDispose]: () => closeAll(nodes, kept, store, world),
  }
}

function inHand(plugins: PluginNode, kernel: Kernel, kept: AsyncDisposable[]): Node {
  const netns = kernel.netns.host
  const at = kernel.in(netns)
  kept.push(at)
  // Not spread: `exec` and `gate` are what they are at the time.
  return Object.defineProperties({ netns, at }, Object.getOwnPropertyDescriptors(plugins)) as Node
}

interface SandboxOptions {
  readonly seed: number
  readonly lo: boolean
  readonly kept: AsyncDisposable[]
}

/** Sandboxes as runtimes make them, with names that are the same in each run. */
function sandboxesOf({ seed, lo, kept }: SandboxOptions) {
  let count = 0
  const named = new Set<string>()
  return {
    async create({ name: node, kernel }: Node): Promise<Pod> {
      count += 1
      const number = count
      const name = `cnf${seed.toString(36)}-${node}-${number}`
      const netns = await kernel.netns.create(name)
      named.add(name)
      const at = kernel.in(netns)
      kept.push(netns, at)
      if (lo) await at.links.set('lo', { up: true })
      const containerId = `cnf${seed.toString(16).padStart(8, '0')}${number.toString(16).padStart(53, '0')}`
      return { name: `pod ${number} on ${node}`, node, containerId, netns, path: netns.path, at }
    },
    async drop({ kernel }: Node, pod: Pod): Promise<void> {
      const [entry] = (await kernel.netns.list()).filter(({ id }) => id === pod.netns.id)
      if (entry !== undefined) await kernel.netns.delete(entry.name)
      // Held references would keep it alive.
      await pod.at[Symbol.asyncDispose]()
      await pod.netns[Symbol.asyncDispose]()
    },
  }
}

async function closeAll(
  nodes: readonly PluginNode[],
  kept: readonly AsyncDisposable[],
  store: Store,
  world: World,
): Promise<void> {
  const errors: unknown[] = []
  const attempt = async (close: () => PromiseLike<unknown>) => {
    try {
      await close()
    } catch (error) {
      errors.push(error)
    }
  }
  for (const node of nodes) await attempt(() => node.stop())
  for (const each of kept.toReversed()) await attempt(() => each[Symbol.asyncDispose]())
  await attempt(() => store.close())
  await attempt(() => world.close())
  if (errors.length > 0) throw new AggregateError(errors, 'the world of a case could not be cleared')
}
