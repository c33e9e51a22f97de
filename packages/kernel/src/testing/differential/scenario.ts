import { formatCommand } from '../../command.ts'
import type { Netns } from '../../netns.ts'
import type { Operation } from '../../operation.ts'
import type { RouteQuery } from '../../route.ts'

/**
 * What two kernels are asked to do, as data: operations in fresh namespaces, and what to look at afterwards.
 * An operation that names a namespace (a veth's peer, a move) names it by `placeOf`.
 */
export interface Scenario {
  /** Names of the namespaces, which begin with `lo` down and nothing else. */
  readonly namespaces: readonly string[]
  readonly steps: readonly ScenarioStep[]
  /** `ip route get`, asked in each namespace at the end. */
  readonly lookups: readonly RouteQuery[]
  /** Sysctls that are read in each namespace at the end. */
  readonly sysctls: readonly string[]
}

export interface ScenarioStep {
  readonly at: string
  readonly operation: Operation
}

const DIRECTORY = '/run/netns/'

/** Stands for a scenario's namespace in an operation, until the scenario runs somewhere. */
export function placeOf(name: string): Netns {
  return { id: name, path: `${DIRECTORY}${name}`, [Symbol.asyncDispose]: async () => undefined }
}

/** The operation with the real namespaces in the place of those that stand for them. */
export function bind(operation: Operation, netns: (name: string) => Netns): Operation {
  if (operation.op === 'link.add' && operation.link.kind === 'veth' && operation.link.peer.netns) {
    const { link } = operation
    const { peer } = link
    return { ...operation, link: { ...link, peer: { ...peer, netns: netns(nameOf(peer.netns)) } } }
  }
  if (operation.op === 'link.set' && operation.change.netns !== undefined) {
    const { change } = operation
    return { ...operation, change: { ...change, netns: netns(nameOf(change.netns)) } }
  }
  return operation
}

/** The name in `placeOf`. */
export function nameOf(place: Netns | undefined): string {
  return place?.path.slice(DIRECTORY.length) ?? ''
}

/** A step as the command that a person would have typed. */
export function formatStep({ at, operation }: ScenarioStep): string {
  return `[${at}] ${formatCommand(operation)}`
}
