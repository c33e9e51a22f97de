import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SysctlRecords, sysctlRecords } from '@podfabric/agent'
import { defaultStateFolder, stateVariable } from '@podfabric/agent/exec'
import { systemClock } from '@podfabric/kernel'
import type { Entry } from '@podfabric/store'
import { fileStore } from '@podfabric/store/file'
import { isMissing } from './is-missing.ts'

/** An attachment that a plugin recorded in the node's state. */
export interface RecordedAttachment {
  readonly network: string
  readonly plugin: string
  readonly containerId: string
  readonly ifName: string
  /** The container's namespace when it was attached, if that was told. */
  readonly netns: string | undefined
}

/** What the node's state file says, read without changing it. */
export interface RecordedState {
  readonly folder: string
  readonly file: string
  readonly present: boolean
  /** Why it cannot be read; undefined where it is sound, or not there. */
  readonly damage: string | undefined
  readonly attachments: readonly RecordedAttachment[]
  value(key: string): string | undefined
  /** What networks of ours wanted of the node's settings, and what those were before. */
  readonly sysctls: SysctlRecords
}

export const stateFileName = 'agent.db'

export function stateFolderFrom(env: Readonly<Record<string, string | undefined>>): string {
  return env[stateVariable] || defaultStateFolder
}

/**
 * Reads the state: where an agent has it open, beside it, which changes nothing then; else a copy, since whoever opens a
 * damaged file alone sets it aside.
 */
export async function recordedState(folder: string, inUse: boolean): Promise<RecordedState> {
  const file = join(folder, stateFileName)
  const found = (entries: readonly Entry[], damage?: string): RecordedState => {
    const values = new Map(entries.map(({ key, value }) => [key, value]))
    const attachments = entries.flatMap(({ key, value }) => attachmentIn(key, value) ?? [])
    const sysctls = sysctlRecords(entries)
    return { folder, file, present: true, damage, attachments, sysctls, value: (key) => values.get(key) }
  }
  try {
    if (!(await exists(file))) return { ...found([]), present: false }
  } catch (error) {
    // Another user's.
    return found([], error instanceof Error ? error.message : String(error))
  }
  let damage = ''
  // A process may write between the copies of two files: what is damaged once is looked at again.
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return found(inUse ? await entriesOf(file) : await entriesOfCopy(file))
    } catch (error) {
      damage = error instanceof Error ? error.message : String(error)
    }
  }
  return found([], damage)
}

async function entriesOf(path: string): Promise<readonly Entry[]> {
  let damage: string | undefined
  const log = {
    warn: () => undefined,
    error(_: string, facts = {}) {
      damage = reasonIn(facts)
    },
  }
  const store = await fileStore({ path, clock: systemClock, log })
  try {
    if (damage !== undefined) throw new Error(damage)
    return (await store.list('')).entries
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

async function entriesOfCopy(file: string): Promise<readonly Entry[]> {
  const folder = await mkdtemp(join(tmpdir(), 'podfabric-state-'))
  try {
    const copy = join(folder, stateFileName)
    // What was acknowledged comes first: the file may then say more, never less.
    for (const part of ['-revision', '', '-wal']) {
      await copyFile(file + part, copy + part).catch((error: unknown) => {
        if (!isMissing(error)) throw error
      })
    }
    return await entriesOf(copy)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function reasonIn(facts: Readonly<Record<string, unknown>>): string {
  return String(facts.reason ?? 'it is damaged')
}

function attachmentIn(key: string, value: string): RecordedAttachment | undefined {
  const [networks, network, attachments, plugin, , containerId, ifName, ...more] = key.split('/')
  if (networks !== 'networks' || attachments !== 'attachments' || more.length > 0) return undefined
  if (!network || !plugin || !containerId || !ifName) return undefined
  return { network, plugin, containerId, ifName: decoded(ifName), netns: netnsIn(value) }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** A record that cannot be read still stands for its attachment. */
function netnsIn(value: string): string | undefined {
  try {
    const { netns } = JSON.parse(value)
    return typeof netns === 'string' ? netns : undefined
  } catch {
    return undefined
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
