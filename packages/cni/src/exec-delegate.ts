import type { Call } from './call.ts'
import { formatCall } from './call.ts'
import type { Delegate } from './delegate.ts'
import type { Exec, ExecOutcome } from './exec.ts'
import { parsePluginType } from './identifiers.ts'
import { resultOf, throwIfFailed } from './plugin-outcome.ts'
import type { AddRequest, AttachmentRequest, Request } from './request.ts'

/**
 * A delegate that is run (SPEC 1.1.0, section 4): with the environment and the whole configuration of the request. What it
 * says on stderr is handed to `stderr`.
 */
export function execDelegate(exec: Exec, type: string, stderr: (text: string) => void): Delegate {
  parsePluginType(type, 'type')
  const run = async (call: Call, request: Request<unknown>): Promise<ExecOutcome> => {
    const stdin = JSON.stringify(request.source)
    const outcome = await exec.run(type, formatCall(call), stdin, { signal: request.signal })
    if (outcome.stderr !== '') stderr(outcome.stderr)
    return outcome
  }
  const succeed = async (call: Call, request: Request<unknown>): Promise<void> =>
    throwIfFailed(await run(call, request), `${type} ${call.command}`)

  return {
    async add(request) {
      const outcome = await run({ command: 'ADD', ...attachment(request), netns: request.netns }, request)
      return resultOf(outcome, request.source.cniVersion, `${type} ADD`).result
    },
    check: (request) => succeed({ command: 'CHECK', ...attachment(request), netns: request.netns }, request),
    del: (request) => {
      const { netns } = request
      return succeed({ command: 'DEL', ...attachment(request), ...(netns && { netns }) }, request)
    },
    gc: (request) => succeed({ command: 'GC', ...plain(request) }, request),
    status: (request) => succeed({ command: 'STATUS', ...plain(request) }, request),
  }
}

function plain(request: Request<unknown>) {
  return { path: request.path, ...(request.trace && { trace: request.trace }) }
}

function attachment(request: AttachmentRequest<unknown> | AddRequest<unknown>) {
  const { containerId, ifName, args } = request
  return { containerId, ifName, args, ...plain(request) }
}
