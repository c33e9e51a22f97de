import { parseArgs } from 'node:util'
import { ConformanceError } from '../failure.ts'

export interface Options {
  readonly plugin: string
  readonly config: string
  readonly with: readonly string[]
  readonly path: readonly string[]
  readonly only?: readonly string[]
  readonly kernel?: 'sim' | 'linux'
  readonly serve: boolean
  readonly seed: number
  readonly small?: { readonly file: string; readonly addresses: number }
  readonly multiNode?: boolean
  readonly ifName?: string
  readonly report: 'table' | 'json' | 'junit'
  readonly strict: boolean
}

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'list' }
  | ({ readonly kind: 'run' } & Options)

/** The command line. Throws CONFORMANCE_BAD_INPUT, naming the option and what was expected. */
export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Command {
  const values = valuesOf(argv)
  if (values.help === true) return { kind: 'help' }
  if (values.list === true) return { kind: 'list' }
  const { plugin, config, small, addresses, ifname } = values
  if (plugin === undefined) throw bad('--plugin is missing: name a package, a file or an executable')
  if (config === undefined) throw bad('--config is missing: name a file with a network list')
  if ((small === undefined) !== (addresses === undefined)) throw bad('--small and --addresses go together')
  const only = values.only?.flatMap((ids) => ids.split(',')).filter((id) => id !== '')
  if (only?.length === 0) throw bad('--only names no case')
  const kernel =
    values.kernel === undefined ? undefined : oneOf('--kernel', values.kernel, ['sim', 'linux'] as const)
  return {
    kind: 'run',
    plugin,
    config,
    with: values.with ?? [],
    path: (values.path ?? env.CNI_PATH ?? '').split(':').filter((folder) => folder !== ''),
    ...(only && { only }),
    ...(kernel && { kernel }),
    serve: values.serve ?? false,
    seed: wholeNumber('--seed', values.seed ?? '1', 0),
    ...(small !== undefined && {
      small: { file: small, addresses: wholeNumber('--addresses', addresses ?? '', 1) },
    }),
    ...(values['multi-node'] === true && { multiNode: true }),
    ...(ifname !== undefined && { ifName: ifname }),
    report: oneOf('--report', values.report ?? 'table', ['table', 'json', 'junit'] as const),
    strict: values.strict ?? false,
  }
}

function valuesOf(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      allowPositionals: false,
      options: {
        plugin: { type: 'string' },
        config: { type: 'string' },
        with: { type: 'string', multiple: true },
        path: { type: 'string' },
        only: { type: 'string', multiple: true },
        kernel: { type: 'string' },
        serve: { type: 'boolean' },
        seed: { type: 'string' },
        small: { type: 'string' },
        addresses: { type: 'string' },
        'multi-node': { type: 'boolean' },
        ifname: { type: 'string' },
        report: { type: 'string' },
        strict: { type: 'boolean' },
        list: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (cause) {
    throw bad(cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function oneOf<const Choice extends string>(
  option: string,
  text: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((each) => each === text)
  if (choice === undefined) throw bad(`${option} ${text}: expected ${choices.join(' or ')}`)
  return choice
}

function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw bad(`${option} ${text}: expected a whole number from ${least} on`)
  }
  return value
}

function bad(message: string, cause?: unknown): ConformanceError {
  return new ConformanceError('CONFORMANCE_BAD_INPUT', message, { cause })
}
