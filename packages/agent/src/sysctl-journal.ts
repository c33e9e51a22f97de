import { codeOf, isJsonObject, KeyedMutex, type Log, parseJson } from '@podfabric/cni'
import {
  formatCommand,
  isOwnedAlias,
  isSameSetting,
  type Kernel,
  KernelError,
  type Middleware,
  type Namespace,
  onlyFor,
} from '@podfabric/kernel'
import type { Store } from '@podfabric/store'

/** A setting of the node's network that networks of ours want to be so, and what it was before them. */
export interface SysctlRecord {
  /** `net.ipv4.ip_forward`. */
  readonly name: string
  /** What stood before we wrote, or what somebody else put in place of ours since. */
  readonly before: string
  /** What we wrote last, or were about to. The same as `before` where it stood so already. */
  readonly wrote: string
  /** Names of networks, sorted. */
  readonly wantedBy: readonly string[]
  readonly where: SysctlSite
}

/** Where and when a value stood: after a restart of the machine, and in another namespace, a record says nothing. */
export interface SysctlSite {
  /** Tells one start of the machine from another: on Linux `/proc/sys/kernel/random/boot_id`. */
  readonly boot: string
  /** The `id` of the node's own network namespace. */
  readonly netns: string
}

/** What is to be done about a record, given what stands now. */
export type SysctlFate =
  /** Of another start of the machine, or another namespace. */
  | 'void'
  /** It is as it was before us. */
  | 'as-before'
  | 'restore'
  /** Somebody else gave it another value since: it is theirs now. */
  | 'theirs'

export interface SysctlJournalOptions {
  readonly kernel: Kernel
  /** The node's; records are kept under `sysctls/<node>/`. */
  readonly store: Store
  readonly node: { readonly name: string }
  readonly boot: string
  readonly log: Log
}

/** Under this the store has the records of every node. */
export const sysctlPrefix = 'sysctls/'

/**
 * Remembers what stood in the node's own namespace before networks of ours changed it: durably, and before the write. Gives the
 * middleware for one network's kernel. A write that cannot be recorded is not made: EIO, with the store's error as `cause`.
 *
 * Settings of a link that carries our mark go with the link and are not recorded.
 */
export function sysctlJournal(options: SysctlJournalOptions): (network: string) => Middleware {
  const { kernel, store, node, boot, log } = options
  const where: SysctlSite = { boot, netns: kernel.netns.host.id }
  const prefix = `${sysctlPrefix}${encodeURIComponent(node.name)}/`
  const turn = new KeyedMutex()
  /** What is in the store for certain, by setting, value and network: it is asked for once. */
  const recorded = new Set<string>()

  async function record(host: Namespace, name: string, value: string, network: string): Promise<void> {
    const key = prefix + encodeURIComponent(name)
    for (;;) {
      const entry = await store.get(key)
      const found = entry && readable(entry.value)
      if (found instanceof Error) {
        log.warn('what a setting was before us cannot be read any more; what it is now counts instead', {
          setting: name,
          error: found,
        })
      }
      const known = found && !(found instanceof Error) && isHere(found.where, where) ? found : undefined
      const now = await host.sysctl.get(name)
      const isOurs = known !== undefined && isSameSetting(now, known.wrote)
      const wanted: SysctlRecord = {
        name,
        before: isOurs ? known.before : now,
        wrote: value,
        wantedBy: [...new Set([...(known?.wantedBy ?? []), network])].sort(),
        where,
      }
      const text = JSON.stringify(wanted)
      if (entry?.value === text) return
      try {
        await store.put(key, text, { ifRevision: entry?.revision ?? 0 })
        return
      } catch (error) {
        // Another process of the node was faster.
        if (codeOf(error) !== 'STORE_CONFLICT') throw error
      }
    }
  }

  /** Whether the value stands already. */
  async function remember(name: string, value: string, network: string): Promise<boolean> {
    const host = kernel.in(kernel.netns.host)
    try {
      const stands = isSameSetting(await host.sysctl.get(name), value)
      const mark = JSON.stringify([name, value, network])
      if ((stands && recorded.has(mark)) || (await goesWithOurLink(host, name))) return stands
      await turn.run(name, () => record(host, name, value, network))
      recorded.add(mark)
      return stands
    } finally {
      await host[Symbol.asyncDispose]()
    }
  }

  return (network) =>
    onlyFor(['sysctl.set'], async (operation, next, at) => {
      if (operation.op !== 'sysctl.set' || at.netns !== '') return next()
      let stands: boolean
      try {
        stands = await remember(operation.name, operation.value, network)
      } catch (error) {
        if (error instanceof KernelError) return { ok: false, error }
        const reason = 'it is not written, since what it was before cannot be recorded'
        return {
          ok: false,
          error: new KernelError('EIO', formatCommand(operation), reason, { cause: error }),
        }
      }
      return stands && operation.ifDiffers ? { ok: true } : next()
    })
}

export interface SysctlRecords {
  /** Settings of single links last: some of the others change those. */
  readonly records: readonly SysctlRecord[]
  /** Keys whose values cannot be read: what was before is not known. */
  readonly unreadable: readonly string[]
}

/** The records among entries of the node's store. */
export function sysctlRecords(
  entries: readonly { readonly key: string; readonly value: string }[],
): SysctlRecords {
  const records: SysctlRecord[] = []
  const unreadable: string[] = []
  for (const { key, value } of entries) {
    if (!key.startsWith(sysctlPrefix)) continue
    const record = readable(value)
    if (record instanceof Error) unreadable.push(key)
    else records.push(record)
  }
  const order = ({ name }: SysctlRecord) => (linkOf(name) === undefined ? 0 : 1)
  return { records: records.toSorted((a, b) => order(a) - order(b)), unreadable }
}

/** `current` is undefined where there is no such setting any more. */
export function sysctlFate(record: SysctlRecord, here: SysctlSite, current: string | undefined): SysctlFate {
  if (!isHere(record.where, here)) return 'void'
  if (current === undefined || isSameSetting(current, record.before)) return 'as-before'
  return isSameSetting(current, record.wrote) ? 'restore' : 'theirs'
}

function isHere(one: SysctlSite, other: SysctlSite): boolean {
  return one.boot === other.boot && one.netns === other.netns
}

/** Or what is wrong with it. */
function readable(text: string): SysctlRecord | Error {
  try {
    return parseRecord(text)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function parseRecord(text: string): SysctlRecord {
  const value = parseJson(text, { what: 'the record of a setting' })
  const { name, before, wrote, wantedBy, where } = isJsonObject(value) ? value : {}
  const { boot, netns } = isJsonObject(where) ? where : {}
  const texts = [name, before, wrote, boot, netns].filter((each) => typeof each === 'string')
  const [setting, stood, written, start, id] = texts
  const networks = Array.isArray(wantedBy) ? wantedBy.filter((each) => typeof each === 'string') : []
  if (setting === undefined || stood === undefined || written === undefined) throw malformed()
  if (start === undefined || id === undefined) throw malformed()
  return {
    name: setting,
    before: stood,
    wrote: written,
    wantedBy: networks,
    where: { boot: start, netns: id },
  }
}

function malformed(): TypeError {
  return new TypeError('expected name, before, wrote, where.boot and where.netns, all of them texts')
}

/** A link that is gone has no settings; what carries our mark goes with us. */
async function goesWithOurLink(host: Namespace, name: string): Promise<boolean> {
  const link = linkOf(name)
  if (link === undefined) return false
  return isOwnedAlias((await host.links.get(link)).alias)
}

/** The link that a setting is of; undefined for one of the whole namespace. */
function linkOf(name: string): string | undefined {
  const [, family, group, link] = name.split('.')
  const perLink = (family === 'ipv4' || family === 'ipv6') && (group === 'conf' || group === 'neigh')
  return perLink && link !== 'all' && link !== 'default' ? link?.replaceAll('/', '.') : undefined
}
