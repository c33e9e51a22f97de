import type { Kernel } from '../../kernel.ts'
import type { Namespace } from '../../namespace.ts'
import type { Netns } from '../../netns.ts'
import { type Account, differences } from './difference.ts'
import { type Observation, observe } from './observation.ts'
import { bind, formatStep, type Scenario } from './scenario.ts'

/** A kernel to run scenarios on, with a name for reports. */
export interface Subject {
  readonly name: string
  readonly kernel: Kernel
  /** Lets so many milliseconds pass on it. */
  pass(time: number): Promise<void>
}

/** How long two kernels may take to come to the same state, in milliseconds: Linux does some things of links later. */
const PATIENCE = 10_000
const PAUSE = 15

/**
 * Runs a scenario on both kernels. Undefined where every operation had the same outcome and the states came to be
 * the same, within `patience` milliseconds; else what differs, below the commands, as text for a person.
 */
export async function compareOperations(
  scenario: Scenario,
  subjects: readonly [Subject, Subject],
  patience = PATIENCE,
): Promise<string | undefined> {
  const [first, second] = [await start(subjects[0], scenario), await start(subjects[1], scenario)]
  try {
    const steps = scenario.steps.map(formatStep)
    const names = [subjects[0].name, subjects[1].name] as const
    for (let waited = 0; ; waited += PAUSE) {
      const accounts = [await first.account(), await second.account()] as const
      const found = differences(names, accounts, steps)
      if (found.length === 0) return undefined
      if (waited >= patience) return report(steps, accounts[1].outcomes, found)
      await Promise.all(subjects.map((subject) => subject.pass(PAUSE)))
    }
  } finally {
    await first.close()
    await second.close()
  }
}

/** The commands with what became of them on the second kernel, and the differences below. */
function report(steps: readonly string[], outcomes: readonly string[], found: readonly string[]): string {
  const commands = steps.map((step, i) => (outcomes[i] === 'ok' ? step : `${step}  # ${outcomes[i]}`))
  return [...commands, '', ...found].join('\n')
}

interface Run {
  account(): Promise<Account>
  close(): Promise<void>
}

async function start({ kernel }: Subject, scenario: Scenario): Promise<Run> {
  const netns = new Map<string, Netns>()
  const handles = new Map<string, Namespace>()
  const close = async (): Promise<void> => {
    for (const handle of handles.values()) await handle[Symbol.asyncDispose]()
    for (const [name, reference] of netns) {
      await reference[Symbol.asyncDispose]()
      await kernel.netns.delete(name)
    }
  }
  try {
    for (const name of scenario.namespaces) {
      const made = await kernel.netns.create(name)
      netns.set(name, made)
      handles.set(name, kernel.in(made))
    }
    const outcomes: string[] = []
    for (const { at, operation } of scenario.steps) {
      const bound = bind(operation, (name) => get(netns, name))
      const [outcome] = await get(handles, at).apply([bound])
      outcomes.push(outcome?.ok ? 'ok' : (outcome?.error.code ?? 'nothing'))
    }
    const nft = scenario.steps.some(({ operation }) => operation.op === 'nft.apply')
    const account = async (): Promise<Account> => {
      const state: Record<string, Observation> = {}
      for (const [name, handle] of handles) state[name] = await observe(handle, { ...scenario, nft })
      return { outcomes, state }
    }
    return { account, close }
  } catch (error) {
    await close()
    throw error
  }
}

function get<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name)
  if (found === undefined) throw new RangeError(`the scenario has no namespace ${name}`)
  return found
}
