import type { PluginFactory } from '../plugin.ts'
import type { AddRequest, CheckRequest, DelRequest, GcRequest, StatusRequest } from '../request.ts'
import type { AddResult } from '../result.ts'
import { type CniVersion, cniVersions } from '../version.ts'

/** One call, as the plugin got it. */
export type RecordedCall =
  | { readonly command: 'ADD'; readonly type: string; readonly request: AddRequest }
  | { readonly command: 'CHECK'; readonly type: string; readonly request: CheckRequest }
  | { readonly command: 'DEL'; readonly type: string; readonly request: DelRequest }
  | { readonly command: 'GC'; readonly type: string; readonly request: GcRequest }
  | { readonly command: 'STATUS'; readonly type: string; readonly request: StatusRequest }

export interface RecordingScript {
  /** Default: all of them. */
  readonly versions?: readonly CniVersion[]
  /** What ADD gives. Default: `prevResult`, or an empty result. */
  readonly result?: AddResult | ((request: AddRequest) => AddResult)
  /** Called in each verb once it is recorded; what it throws is what the verb fails with. */
  readonly before?: (call: RecordedCall) => void | Promise<void>
}

/**
 * A plugin that touches nothing, writes down in `calls` what it was called with, and answers as the script says: for testing
 * whoever calls plugins.
 */
export function recordingPlugin(
  type: string,
  calls: RecordedCall[],
  script: RecordingScript = {},
): PluginFactory {
  const record = async (call: RecordedCall): Promise<void> => {
    calls.push(call)
    await script.before?.(call)
  }
  return () => ({
    type,
    versions: script.versions ?? cniVersions,
    example: { cniVersion: '1.1.0', name: 'recorded', type },
    parse: (config) => config,
    async add(request) {
      await record({ command: 'ADD', type, request })
      const { result } = script
      if (typeof result === 'function') return result(request)
      return result ?? request.prevResult ?? { interfaces: [], ips: [], routes: [] }
    },
    check: (request) => record({ command: 'CHECK', type, request }),
    del: (request) => record({ command: 'DEL', type, request }),
    gc: (request) => record({ command: 'GC', type, request }),
    status: (request) => record({ command: 'STATUS', type, request }),
  })
}
