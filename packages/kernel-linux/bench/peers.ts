// What an attachment is measured beside: the same netlink messages from C, and Debian's Go plugins executed as a runtime
// executes them. Both run in a small program of ours, so that this process' size costs neither of them anything.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Debian's containernetworking-plugins. */
export const goFolder = '/usr/lib/cni'
export const hasGo = existsSync(join(goFolder, 'bridge')) && existsSync(join(goFolder, 'host-local'))

/**
 * As kernel-linux has it unless it is told otherwise. Another number by the environment's DELETIONS: up to 30, for which
 * `inScratch` gives the threads.
 */
export const deletions = Number(process.env.DELETIONS ?? 3)

/**
 * True in a network namespace and a mount namespace of its own, where nothing that a benchmark makes is left behind;
 * otherwise runs this program again there, and false.
 */
export function inScratch(): boolean {
  if (process.env.PODFABRIC_BENCH_SCRATCH === '1') return true
  const rootless = process.getuid?.() === 0 ? [] : ['-U', '-r']
  const { status, error } = spawnSync(
    'unshare',
    [...rootless, '-n', '-m', process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    { stdio: 'inherit', env: { ...process.env, PODFABRIC_BENCH_SCRATCH: '1', UV_THREADPOOL_SIZE: '32' } },
  )
  if (error !== undefined) console.log(`not measured: ${error.message}`)
  process.exitCode = status ?? 0
  return false
}

export interface Peers {
  /** Milliseconds of each: attaches the namespaces to a bridge, as numbers from `first` on. */
  floorAdd(bridge: string, first: number, paths: readonly string[]): readonly number[]
  floorDelete(first: number, count: number): readonly number[]
  /** Milliseconds of each call of Go's bridge, which executes host-local. */
  go(command: 'ADD' | 'DEL', calls: readonly GoCall[]): readonly number[]
  /** Milliseconds of each call of another executable, made the same way. */
  executed(executable: Executable, command: 'ADD' | 'DEL', calls: readonly GoCall[]): readonly number[]
  /** The same calls of Go's bridge, `concurrency` at a time, in milliseconds altogether. */
  goTogether(command: 'DEL', calls: readonly GoCall[], concurrency: number): Promise<number>
}

export interface Executable {
  readonly path: string
  readonly stdin: string
  /** Besides CNI's. */
  readonly env?: Readonly<Record<string, string>>
}

export interface GoCall {
  readonly containerId: string
  readonly netns: string
}

/** Compiles in `folder`. Throws where there is no C compiler. */
export function peers(folder: string): Peers {
  const program = join(folder, 'floor')
  execFileSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'floor.c')])
  const conf = JSON.stringify({
    cniVersion: '1.0.0',
    name: 'go',
    type: 'bridge',
    bridge: 'go0',
    isDefaultGateway: true,
    ipam: { type: 'host-local', dataDir: join(folder, 'addresses'), ranges: [[{ subnet: '10.251.0.0/16' }]] },
  })
  const milliseconds = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => Number(line) / 1e6)
  const bridge: Executable = { path: join(goFolder, 'bridge'), stdin: conf }
  const script = ({ path, stdin, env = {} }: Executable, command: string, calls: readonly GoCall[]) =>
    calls
      .map(({ containerId, netns }) =>
        [
          `CNI_COMMAND=${command}`,
          `CNI_CONTAINERID=${containerId}`,
          `CNI_NETNS=${netns}`,
          'CNI_IFNAME=eth0',
          `CNI_PATH=${dirname(path)}`,
          'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
          ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
          '',
          stdin,
          '.',
          '',
        ].join('\n'),
      )
      .join('')
  const executed: Peers['executed'] = (executable, command, calls) =>
    milliseconds(
      execFileSync(program, ['exec', executable.path], {
        input: script(executable, command, calls),
        encoding: 'utf8',
      }),
    )
  return {
    floorAdd: (bridge, first, paths) =>
      milliseconds(execFileSync(program, ['add', bridge, String(first), ...paths], { encoding: 'utf8' })),
    floorDelete: (first, count) =>
      milliseconds(execFileSync(program, ['del', String(first), String(count)], { encoding: 'utf8' })),
    executed,
    go: (command, calls) => executed(bridge, command, calls),
    async goTogether(command, calls, concurrency) {
      const { spawn } = await import('node:child_process')
      const began = performance.now()
      await Promise.all(
        Array.from({ length: concurrency }, (_, part) => {
          const own = calls.filter((_, i) => i % concurrency === part)
          const child = spawn(program, ['exec', join(goFolder, 'bridge')], {
            stdio: ['pipe', 'ignore', 'inherit'],
          })
          child.stdin.end(script(bridge, command, own))
          return new Promise<void>((resolve, reject) => {
            child.on('error', reject)
            child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))))
          })
        }),
      )
      return performance.now() - began
    },
  }
}

export function quantile(times: readonly number[], q: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

/** One line for each, with its p50 and p99 in milliseconds, and how many times ours, the first, its p50 is. */
export function report(title: string, rows: readonly (readonly [string, readonly number[]])[]): void {
  console.log(title)
  const ours = quantile(rows[0]?.[1] ?? [], 0.5)
  for (const [name, times] of rows) {
    const p50 = quantile(times, 0.5)
    const figures = `p50 ${p50.toFixed(2).padStart(7)}  p99 ${quantile(times, 0.99).toFixed(2).padStart(7)} ms`
    console.log(`  ${name.padEnd(52)}${figures}  ${(p50 / ours).toFixed(2)}x of ours`)
  }
}
