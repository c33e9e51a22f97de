import { nodeAgent } from '@podfabric/agent/exec'
import type { Json, JsonObject } from '@podfabric/cni'
import { validAttachmentsKey } from '@podfabric/cni/skel'
import { lineLog } from '../log.ts'
import type { ListFile } from './list-file.ts'
import { nodePlugins } from './node-plugins.ts'
import { type RecordedAttachment, type RecordedState, recordedState } from './recorded-state.ts'

export interface CollectOptions {
  readonly state: RecordedState
  readonly files: readonly ListFile[]
  readonly dryRun: boolean
  readonly removed: (what: string) => void
  readonly failed: (error: unknown) => void
  readonly note: (text: string) => void
}

/** Removes every attachment that is recorded, as GC does that keeps none. Without a state there are none. */
export async function collectAttachments(options: CollectOptions): Promise<void> {
  const { state, files, dryRun, removed, failed, note } = options
  if (!dryRun && state.present) {
    const agent = await nodeAgent({ plugins: nodePlugins, log: lineLog(note, 'warn') })
    try {
      for (const { type, source } of configurations(state, files)) {
        const stdin = JSON.stringify({ ...source, [validAttachmentsKey]: [] })
        const { exitCode, stdout } = await agent.serve({
          type,
          env: { CNI_COMMAND: 'GC', CNI_PATH: '/' },
          stdin,
        })
        if (exitCode !== 0) failed(new Error(`network ${source.name}, plugin ${type}: ${reasonIn(stdout)}`))
      }
    } finally {
      await agent[Symbol.asyncDispose]()
    }
  }
  // Those of a failed GC stay recorded; addresses of a network without a list go with the state.
  const left = dryRun ? [] : (await recordedState(state.folder, false)).attachments
  const stays = new Set(left.filter(({ plugin }) => plugin !== 'host-local').map(nameOf))
  for (const name of new Set(state.attachments.map(nameOf))) if (!stays.has(name)) removed(name)
}

function nameOf({ network, containerId, ifName }: RecordedAttachment): string {
  return `attachment ${network} ${containerId} ${ifName}`
}

interface Configuration {
  readonly type: string
  readonly source: JsonObject
}

/** One for each plugin of each network: as its list says, or, of a network without a list, only what GC needs to find its things. */
function configurations(state: RecordedState, files: readonly ListFile[]): readonly Configuration[] {
  const listed = files.flatMap(({ list, ours }) =>
    list === undefined || !ours
      ? []
      : list.plugins.map(({ capabilities, ...keys }) => ({
          type: keys.type,
          source: { ...keys, cniVersion: '1.1.0', name: list.name } as JsonObject,
        })),
  )
  const known = new Set(listed.map(({ source }) => source.name as Json))
  const unlisted = state.attachments
    .filter(({ network, plugin }) => !known.has(network) && Object.hasOwn(nodePlugins, plugin))
    .map(({ network, plugin }) => `${network}/${plugin}`)
  return [
    ...listed,
    ...[...new Set(unlisted)].flatMap((each) => {
      const [name = '', type = ''] = each.split('/')
      // Its addresses are forgotten with the state.
      return type === 'host-local' ? [] : [{ type, source: { cniVersion: '1.1.0', name, type } }]
    }),
  ]
}

function reasonIn(stdout: string): string {
  try {
    const { msg, details } = JSON.parse(stdout)
    return details === undefined ? String(msg) : `${msg}: ${details}`
  } catch {
    return stdout
  }
}
