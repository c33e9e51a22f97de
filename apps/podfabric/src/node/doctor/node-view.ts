import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { nodeVariable, socketPathFrom } from '@podfabric/agent/exec'
import type { Kernel } from '@podfabric/kernel'
import { linux, linuxAvailable } from '@podfabric/kernel-linux'
import { type HostTables, hostTables } from '../host-tables.ts'
import { isMissing } from '../is-missing.ts'
import { type ListFile, listFiles } from '../list-file.ts'
import { isListening } from '../listening.ts'
import type { NodeFolders } from '../node-folders.ts'
import { type RecordedState, recordedState, stateFolderFrom } from '../recorded-state.ts'
import { type PodNetwork, podNetworks } from './pod-network.ts'

/** The node as the checks see it: read once, so that they all speak of the same moment. */
export interface NodeView extends AsyncDisposable {
  readonly folders: NodeFolders
  readonly files: readonly ListFile[]
  /** The networks of the lists whose plugins are ours. */
  readonly networks: readonly PodNetwork[]
  /** Undefined where this process cannot work on the kernel; `hidden` says why. */
  readonly kernel: Kernel | undefined
  readonly host: HostTables | undefined
  readonly hidden: string
  readonly agent: { readonly socket: string; readonly listening: boolean }
  readonly state: RecordedState
  /** A setting of the node's network by its path below /proc/sys; undefined where there is none. */
  setting(path: string): Promise<string | undefined>
}

export async function nodeView(
  folders: NodeFolders,
  env: Readonly<Record<string, string | undefined>>,
): Promise<NodeView> {
  const availability = linuxAvailable()
  const kernel = availability.available ? linux() : undefined
  try {
    const socket = socketPathFrom(env)
    const listening = await isListening(socket)
    const state = await recordedState(stateFolderFrom(env), listening)
    const files = await listFiles(folders.conf)
    return {
      folders,
      files,
      networks: podNetworks(files, state, env[nodeVariable] || hostname()),
      kernel,
      host: kernel && (await hostTables(kernel)),
      hidden: availability.available ? '' : availability.reason,
      agent: { socket, listening },
      state,
      setting,
      [Symbol.asyncDispose]: async () => kernel?.[Symbol.asyncDispose](),
    }
  } catch (error) {
    await kernel?.[Symbol.asyncDispose]()
    throw error
  }
}

async function setting(path: string): Promise<string | undefined> {
  try {
    return (await readFile(`/proc/sys/${path}`, 'utf8')).trimEnd()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
