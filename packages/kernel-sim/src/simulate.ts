import type { Kernel } from '@podfabric/kernel'
import type { Hop } from '@podfabric/trace'
import { type VirtualClock, virtualClock } from './clock.ts'
import { SimulatedNode } from './node.ts'
import { seededRandom } from './random.ts'
import { Simulation, type SimulationLog } from './simulation.ts'
import { Segment, type Underlay, type UnderlayOptions } from './underlay.ts'

export interface SimulateOptions {
  /** Any number; the same seed and the same calls give the same packets, octet for octet. Default 1. */
  readonly seed?: number
  /** Default: a new one that begins at 2025-01-01T00:00:00Z. */
  readonly clock?: VirtualClock
  /** Hears of observers that threw. Default: nobody. */
  readonly log?: SimulationLog
}

/** A simulated network: nodes, each a kernel of its own, and the segments between them. */
export interface Network {
  readonly clock: VirtualClock
  readonly seed: number
  /** Numbers in [0, 1) from the seed, for whoever lives in this network. Every call moves the packets' source on. */
  readonly random: () => number
  /**
   * The node of that name, made where there is none: its own namespace has `lo`, up, and the cards that segments
   * attach.
   */
  node(name: string): Kernel
  /** Names of the nodes, in the order they came. */
  nodes(): readonly string[]
  /** The node fails for good: its namespaces, links and connections are gone without a word. */
  remove(node: string): void
  /** A new Ethernet segment. */
  underlay(options?: UnderlayOptions): Underlay
  /** Hears of every step of every packet until the handle is disposed, or the signal aborted. A listener that throws harms nobody. */
  on(event: 'hop', listener: (hop: Hop) => void, options?: { readonly signal?: AbortSignal }): Disposable
}

/** Makes an empty network. */
export function simulate(options: SimulateOptions = {}): Network {
  const { seed = 1, clock = virtualClock(), log = { error: () => {} } } = options
  const random = seededRandom(seed)
  const simulation = new Simulation(clock, random, log)
  const nodes = new Map<string, SimulatedNode>()
  const segments: Segment[] = []
  const node = (name: string): SimulatedNode => {
    const known = nodes.get(name)
    if (known !== undefined) return known
    const made = new SimulatedNode(simulation, name)
    nodes.set(name, made)
    return made
  }
  return {
    clock,
    seed,
    random,
    node,
    nodes: () => [...nodes.keys()],
    remove(name) {
      const gone = nodes.get(name)
      if (gone === undefined) throw new RangeError(`there is no node ${name}`)
      nodes.delete(name)
      for (const segment of segments) segment.detach(name)
      gone.destroy()
      simulation.run()
    },
    underlay(wish = {}) {
      const segment = new Segment(simulation, node, wish)
      segments.push(segment)
      return segment
    },
    on(_event, listener, { signal } = {}) {
      const heard = simulation.onHop(listener)
      if (signal?.aborted) heard[Symbol.dispose]()
      else signal?.addEventListener('abort', () => heard[Symbol.dispose](), { once: true })
      return heard
    },
  }
}
