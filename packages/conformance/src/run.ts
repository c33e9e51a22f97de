import { AssertionError } from 'node:assert'
import type { Case } from './case.ts'
import { cases } from './cases/index.ts'
import { type Discovery, discover } from './discover.ts'
import { CaseFailure, ConformanceError } from './failure.ts'
import { formatExchange } from './harness/exchange.ts'
import { type Harness, type OpenHarness, openHarness } from './harness/harness.ts'
import { simulatedWorld } from './harness/simulated-world.ts'
import type { WorldOf } from './harness/world.ts'
import type { CaseResult, Failure, Report } from './report/report.ts'
import { rules } from './rules.ts'
import type { Subject } from './subject.ts'
import { parseSubjectList } from './subject-list.ts'

export interface RunOptions {
  /** Ids of cases, or of families (`del`). Default: all. Unknown ones are CONFORMANCE_UNKNOWN_CASE. */
  readonly only?: readonly string[]
  /** Of the world, and of what plugins are given as random. Default 1. */
  readonly seed?: number
  /** Where cases run. Default: simulated kernels. */
  readonly world?: WorldOf
  /** The cases. Default: this suite's. */
  readonly suite?: readonly Case[]
  /** Told of each result as it comes. */
  readonly onResult?: (result: CaseResult) => void
  /** How a person runs one case again, for failures. Default: the call of `run`. */
  readonly replay?: (id: string, seed: number) => string
}

/**
 * Puts a subject through the suite, case by case, each in a fresh world. Resolves with everything that was found, failures
 * too; `verdictOf` says whether it is a pass. Rejects with CONFORMANCE_BAD_INPUT or CONFORMANCE_UNKNOWN_CASE where the suite
 * cannot begin.
 */
export async function run(subject: Subject, options: RunOptions = {}): Promise<Report> {
  const { seed = 1 } = options
  const chosen = chooseCases(options.suite ?? cases, options.only)
  const list = parseSubjectList(subject.config)
  if (subject.small) parseSubjectList(subject.small.config, 'the configuration with few addresses')
  const discovery = await discover(subject, options.world ?? simulatedWorld, seed)
  const results: CaseResult[] = []
  for (const each of chosen) {
    const result = await runCase(subject, each, discovery, options)
    results.push(result)
    options.onResult?.(result)
  }
  return {
    schema: 1,
    subject: subject.name ?? list.plugins[0]?.type ?? list.name,
    network: list.name,
    versions: discovery.versions,
    seed,
    features: discovery.features,
    results,
  }
}

/** The cases with these ids or of these families. Throws CONFORMANCE_UNKNOWN_CASE for a name that is neither. */
export function chooseCases(suite: readonly Case[], only: readonly string[] | undefined): readonly Case[] {
  if (only === undefined) return suite
  const named = (each: Case, name: string) => each.id === name || each.id.startsWith(`${name}.`)
  for (const name of only) {
    if (suite.some((each) => named(each, name))) continue
    const families = [...new Set(suite.map(({ id }) => id.split('.')[0]))].join(', ')
    throw new ConformanceError(
      'CONFORMANCE_UNKNOWN_CASE',
      `there is no case or family ${name}; families are ${families}`,
    )
  }
  return suite.filter((each) => only.some((name) => named(each, name)))
}

/** One case, in a world of its own. Never rejects: what fails is a result. */
export async function runCase(
  subject: Subject,
  each: Case,
  { features, versions }: Discovery,
  options: RunOptions = {},
): Promise<CaseResult> {
  const { seed = 1, world: worldOf = simulatedWorld, replay = replayCall } = options
  const { id, level, rule, title } = each
  const { where, says } = rules[rule]
  const facts = { id, level, rule, where, says, title }
  const lacking = (each.requires ?? []).flatMap((feature) => {
    const there = features[feature]
    return there === true ? [] : [there]
  })
  if (lacking.length > 0) return { ...facts, status: 'not applicable', reason: lacking.join('; ') }

  let open: OpenHarness | undefined
  let failure: Caught | undefined
  try {
    const world = await worldOf(seed)
    const small = each.requires?.includes('small-pool') ?? false
    open = await openHarness({ subject, world, seed, features, versions, nodes: each.nodes ?? 1, small })
    await open.start().catch((error: unknown) => {
      const seen = error instanceof Error ? error.message : String(error)
      throw new CaseFailure('the controllers of the network to start', seen, { cause: error })
    })
    await each.run(open.harness)
  } catch (error) {
    failure = caught(error, open?.harness, replay(id, seed))
  }
  try {
    await open?.[Symbol.asyncDispose]()
  } catch (error) {
    failure ??= caught(error, undefined, replay(id, seed))
  }
  return failure === undefined ? { ...facts, status: 'passed' } : { ...facts, ...failure }
}

interface Caught {
  readonly status: 'failed' | 'harness error'
  readonly failure: Failure
}

function caught(error: unknown, harness: Harness | undefined, replay: string): Caught {
  const calls = harness?.transcript.map(formatExchange) ?? []
  const commands = harness?.nodes.flatMap(({ name, commands: log }) => {
    const lines = log.toString().split('\n')
    return lines.filter((line) => line !== '').map((line) => `${name}# ${line}`)
  })
  const rest = { calls, commands: commands ?? [], packets: harness?.packets ?? [], replay }
  if (error instanceof CaseFailure) {
    return { status: 'failed', failure: { expected: error.expected, seen: error.seen, ...rest } }
  }
  if (error instanceof AssertionError) {
    return { status: 'failed', failure: { expected: error.message, seen: String(error.actual), ...rest } }
  }
  const seen = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { status: 'harness error', failure: { expected: 'the harness to do its work', seen, ...rest } }
}

function replayCall(id: string, seed: number): string {
  return `run(subject, { only: ['${id}'], seed: ${seed} })`
}
