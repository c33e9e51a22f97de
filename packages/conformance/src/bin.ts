import { linuxAvailable } from '@podfabric/kernel-linux'
import { loadSubject } from './bin/load-subject.ts'
import { type Options, parseOptions } from './bin/options.ts'
import { usage } from './bin/usage.ts'
import { cases } from './cases/index.ts'
import { ConformanceError } from './failure.ts'
import { simulatedWorld } from './harness/simulated-world.ts'
import { linuxWorld } from './node/index.ts'
import { formatJson } from './report/json.ts'
import { formatJunit } from './report/junit.ts'
import { verdictOf } from './report/report.ts'
import { formatTable } from './report/text.ts'
import { rules } from './rules.ts'
import { run } from './run.ts'
import type { Subject } from './subject.ts'

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof ConformanceError)) throw error
  process.stderr.write(`cni-conformance: ${error.message}\n`)
  process.exitCode = 2
}

async function main(argv: readonly string[]): Promise<number> {
  const command = parseOptions(argv, process.env)
  if (command.kind === 'help') return print(usage)
  if (command.kind === 'list') return print(listing())
  const subject = await loadSubject(command)
  const world = worldFor(command, subject)
  const progress = process.stderr.isTTY
  const report = await run(subject, {
    seed: command.seed,
    world,
    ...(command.only && { only: command.only }),
    replay: (id, seed) => replay(argv, id, seed),
    onResult: ({ id, status }) => void (progress && process.stderr.write(`\r\u001b[K${status} ${id}`)),
  })
  if (progress) process.stderr.write('\r\u001b[K')
  const { report: kind, strict } = command
  const formats = { table: formatTable, json: formatJson, junit: formatJunit }
  print(formats[kind](report, { strict }))
  const { ok, because, counts } = verdictOf(report, { strict })
  if (kind !== 'table') process.stderr.write(`${ok ? 'PASS' : 'FAIL'}: ${because}\n`)
  if (ok) return 0
  return counts['harness error'] > 0 || counts.passed + counts.failed === 0 ? 3 : 1
}

function worldFor({ kernel, serve }: Options, subject: Subject) {
  const bare = subject.kind === 'executable' && !serve
  const chosen = kernel ?? (bare ? 'linux' : 'sim')
  if (chosen === 'sim') {
    if (!bare) return simulatedWorld
    throw new ConformanceError(
      'CONFORMANCE_BAD_INPUT',
      '--kernel sim: an executable works on a real kernel; use --kernel linux, or --serve where it is one of Podfabric',
    )
  }
  const availability = linuxAvailable()
  if (availability.available) return linuxWorld
  throw new ConformanceError('CONFORMANCE_BAD_INPUT', `--kernel linux: ${availability.reason}`)
}

function listing(): string {
  const width = Math.max(...cases.map(({ id }) => id.length))
  const lines = cases.map(({ id, level, rule, title }) => {
    return `${id.padEnd(width)}  ${level.padEnd(6)}  ${title}\n${' '.repeat(width)}  ${rule}, ${rules[rule].where}`
  })
  return `${lines.join('\n')}\n`
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

/** The same command line for one case. */
function replay(argv: readonly string[], id: string, seed: number): string {
  const kept = argv.filter((word, index) => {
    const before = argv[index - 1] ?? ''
    return !/^--(only|seed|report)(=|$)/.test(word) && !/^--(only|seed|report)$/.test(before)
  })
  return ['cni-conformance', ...kept, '--only', id, '--seed', String(seed)].map(quote).join(' ')
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
