import { spawn } from 'node:child_process'
import { access, constants, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type Agent, agent } from '@podfabric/agent'
import { type AgentSocket, listen, socketVariable } from '@podfabric/agent/exec'
import { CniError, type Exec, type ExecOutcome, type PluginFactory } from '@podfabric/cni'
import type { SubjectNode } from '../subject.ts'

export interface ExecutablesOptions {
  /** Folders with the plugins, as CNI_PATH has them. */
  readonly path: readonly string[]
  /** Variables that the plugins get beside those of the call. Default: PATH and HOME of this process. */
  readonly env?: Readonly<Record<string, string>>
}

export type ExecOf = (node: SubjectNode) => Exec

/**
 * Executables on real network namespaces: each is run inside the node's own, with `nsenter`, and does there what it does. For
 * `linuxWorld` only; on a simulated node it rejects with CNI_INVALID_NETWORK_CONFIG, lest it work on this machine's network.
 */
export function executables({ path, env = inherited() }: ExecutablesOptions): ExecOf {
  return ({ kernel }) => ({
    async run(type, call, stdin, options = {}) {
      const host = kernel.netns.host.path
      if (host === '') {
        throw new CniError(
          'CNI_INVALID_NETWORK_CONFIG',
          `${type} is an executable: it needs real network namespaces`,
        )
      }
      const file = await found(type, path)
      return spawned(['nsenter', `--net=${host}`, '--', file], { ...env, ...call }, stdin, options.signal)
    },
  })
}

/**
 * Executables of Podfabric's kind on any kernel: each hands its call to an agent of its node, which has these plugins, over a
 * socket named in PODFABRIC_AGENT.
 */
export function agentExecutables(
  options: ExecutablesOptions & { readonly plugins: Readonly<Record<string, PluginFactory>> },
): ExecOf {
  const { path, plugins, env = inherited() } = options
  return ({ hold, ...node }) => {
    const served = agent({ ...node, node: { name: node.name }, plugins })
    return {
      async run(type, call, stdin, { signal } = {}) {
        // At once: looking for the file is work outside of the world already.
        const held = hold()
        try {
          const file = await found(type, path)
          return await onSocket(served, ({ path: socket }) =>
            spawned([file], { ...env, ...call, [socketVariable]: socket }, stdin, signal),
          )
        } finally {
          held[Symbol.dispose]()
        }
      },
    }
  }
}

/** A socket for the time of one call, so that nothing stays open behind a case. */
async function onSocket<T>(served: Agent, work: (socket: AgentSocket) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'cni-conformance-'))
  try {
    const socket = await listen(join(folder, 'agent.sock'), (call, options) => served.serve(call, options))
    try {
      return await work(socket)
    } finally {
      await socket.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function found(type: string, path: readonly string[]): Promise<string> {
  for (const folder of path) {
    const file = join(folder, type)
    const runs = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (runs) return file
  }
  const where = path.join(delimiter) || 'an empty CNI_PATH'
  throw new CniError('CNI_INVALID_NETWORK_CONFIG', `there is no executable ${type} in ${where}`)
}

function spawned(
  [command = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin: string,
  signal: AbortSignal | undefined,
): Promise<ExecOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    // A plugin need not read all of stdin.
    child.stdin.on('error', () => undefined)
    child.stdin.end(stdin)
    const kill = () => child.kill('SIGKILL')
    signal?.addEventListener('abort', kill, { once: true })
    child.on('error', (cause) =>
      reject(
        new CniError('CNI_IO_FAILURE', `${args.at(-1) ?? command} cannot be run: ${cause.message}`, {
          cause,
        }),
      ),
    )
    child.on('close', (code) => {
      signal?.removeEventListener('abort', kill)
      resolve({ stdout, stderr, exitCode: code ?? 137 })
    })
  })
}

function inherited(): Readonly<Record<string, string>> {
  const { PATH = '/usr/sbin:/usr/bin:/sbin:/bin', HOME = '/' } = process.env
  return { PATH, HOME }
}
