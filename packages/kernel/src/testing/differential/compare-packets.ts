import type { Subject } from './compare.ts'
import { differences } from './difference.ts'
import { PacketRun } from './packet-run.ts'
import { formatPacketStep, type PacketScenario } from './packet-scenario.ts'

/** How long two kernels may take to say the same, in milliseconds: Linux does some things later. */
const PATIENCE = 1500
const PAUSE = 15

/**
 * Runs a scenario on both kernels, step by step, each until nothing moves any more. Undefined where operations and
 * packets had the same outcome, sockets and links saw the same, and the tables came to be the same; else what
 * differs, below the commands, as text for a person.
 */
export async function comparePackets(
  scenario: PacketScenario,
  subjects: readonly [Subject, Subject],
): Promise<string | undefined> {
  const runs = [new PacketRun(subjects[0], scenario), new PacketRun(subjects[1], scenario)] as const
  const steps = scenario.steps.map(formatPacketStep)
  const found = async () => {
    const accounts = [await runs[0].account(), await runs[1].account()] as const
    return { accounts, lines: differences([subjects[0].name, subjects[1].name], accounts, steps) }
  }
  const agree = async () => {
    for (let waited = 0, pause = PAUSE; ; waited += pause, pause *= 2) {
      const { accounts, lines } = await found()
      if (lines.length === 0) return undefined
      if (waited >= PATIENCE) return report(scenario, accounts[1].outcomes, lines)
      await Promise.all(subjects.map((subject) => subject.pass(pause)))
    }
  }
  try {
    for (const run of runs) {
      await run.build()
      await run.rest()
    }
    const before = await agree()
    if (before !== undefined) return `before the first packet:\n${before}`
    while (await runs[0].next()) await runs[1].next()
    return await agree()
  } finally {
    for (const run of runs) await run.close()
  }
}

/** The commands with what became of them on the second kernel, and the differences below. */
function report(scenario: PacketScenario, outcomes: readonly string[], found: readonly string[]): string {
  const commands = scenario.steps.map((step, i) => {
    const outcome = outcomes[i]
    return outcome === 'ok' ? formatPacketStep(step) : `${formatPacketStep(step)}  # ${outcome ?? 'not yet'}`
  })
  return [...commands, '', ...found].join('\n')
}
