import type { Store } from '@podfabric/store'
import { CniError } from './error.ts'
import type { FoundAttachment } from './found-attachment.ts'
import { attachmentNamed, type Intent, intentName, intentsOf } from './intent.ts'
import { type NodeLocks, processLocks } from './node-locks.ts'
import type { Log } from './plugin.ts'
import type { Found } from './records.ts'
import type { AttachmentId } from './request.ts'
import type { AddResult } from './result.ts'
import { onceApplied, toCniError } from './to-cni-error.ts'

/**
 * One thing that an attachment consists of: an address, a veth pair, a route. What it is called follows from the attachment
 * alone, so that it is found again by whoever has the intent.
 */
export interface Resource {
  /** For messages: `veth pair veth0a1b2c`, `address 10.244.1.2`. */
  readonly name: string
  /** Makes it, or finds that it is there as it should be. When it fails, `remove` is called all the same. */
  ensure(): Promise<void>
  /** Throws, saying what is found, when it is not as `ensure` left it. Changes nothing. */
  verify(): Promise<void>
  /** Takes it away, whole or half made. Succeeds where it is gone already, and never touches what is not ours. */
  remove(): Promise<void>
}

export interface AttachmentsOptions {
  /** The plugin's type: several plugins of one network list have the same attachments, each with resources of its own. */
  readonly type: string
  /** The network's own, as `PluginContext.store`. Intents are kept under `attachments/<type>/<node>/`. */
  readonly store: Store
  readonly node: { readonly name: string }
  readonly log: Log
  /** As `PluginContext.locks`. */
  readonly locks?: NodeLocks
  /**
   * Takes away what the attachments of this network shared on this node: a bridge, a table of rules. Called after DEL, GC and a
   * failed ADD when no attachment is recorded any more, never beside the beginning of a new one, and perhaps when
   * there is nothing to take away.
   */
  readonly idle?: () => Promise<void>
}

export interface AddOptions {
  /** What `resources` needs to know later and the request will not tell. */
  readonly facts?: Intent['facts']
  /**
   * Whether the attachment is alive: its interface is there. ADD is refused then with CNI_INTERFACE_EXISTS and changes
   * nothing. Asked for the new attachment, and for what an older record of the same name says.
   */
  readonly exists: (intent: Intent) => Promise<boolean>
  /** Aborted: what was begun is undone, and ADD fails with CNI_TRY_AGAIN_LATER. */
  readonly signal: AbortSignal
}

/** An attachment's resources, in the order in which they come to be. */
export type ResourceList = (intent: Intent) => readonly Resource[]

/** The same for ADD, which also wants a result once all of them are there. */
export interface AttachmentPlan {
  readonly resources: readonly Resource[]
  result(): AddResult
}

/**
 * The attachments of one network on one node. Each is a list of resources, and the same list serves all verbs.
 * Calls for one attachment run one after the other, whichever process of the node they are in; runtimes must not let them overlap
 * (SPEC 1.1.0, section 3, "Lifecycle & Ordering"), but one that gave a call up may not know that it still runs. Others run side by side.
 */
export interface Attachments {
  /**
   * Records the intent, then ensures each resource in order, and gives the plan's result. When one fails, it and those before it are removed in reverse and
   * the record with them; the first error is thrown, with what could not be removed in its details (the record stays then).
   * Leftovers of an ADD that was killed are removed first.
   */
  add(attachment: Intent, plan: (intent: Intent) => AttachmentPlan, options: AddOptions): Promise<AddResult>
  /**
   * Verifies every resource. Throws CNI_CHECK_FAILED with all that is wrong. An attachment without a record fails, unless
   * `foreign` says what one that another implementation made consists of.
   */
  check(attachment: Intent, resources: ResourceList, foreign?: ResourceList): Promise<void>
  /**
   * Removes every resource in reverse, then the record. Goes on past failures and throws them as one. Without a record the
   * resources of `foreign` are removed too.
   */
  del(attachment: Intent, resources: ResourceList, foreign?: ResourceList): Promise<void>
  /** `del` for every recorded attachment that is not among the valid ones. Goes on past failures. */
  gc(valid: readonly AttachmentId[], resources: ResourceList): Promise<void>
  /**
   * Records attachments that live and of which there is no record, as after the loss of the store: then DEL and GC find them. Only
   * those that carry the mark of this plugin's type: what another implementation attached is none of ours.
   */
  rebuild(found: readonly FoundAttachment[]): Promise<void>
  /** What is recorded and can be read. */
  list(): Promise<readonly Intent[]>
}

export function attachmentsOf(options: AttachmentsOptions): Attachments {
  const { type, store, node, log, idle, locks = processLocks() } = options
  const intents = intentsOf(store, type, node.name)
  const everyone = `attachments/${type}/${node.name}`
  const alone = <T>(id: AttachmentId, work: () => Promise<T>, signal?: AbortSignal): Promise<T> =>
    locks.exclusive(`${everyone}/${intentName(id)}`, work, { signal })

  /** A new intent is either seen by whoever finds nothing left, or waits until the shared things are gone. */
  const record = async (intent: Intent, ifRevision: number): Promise<void> => {
    const put = () => intents.put(intentName(intent), intent, { ifRevision })
    await (idle === undefined ? put() : locks.shared(everyone, put))
  }

  const forget = async (intent: Intent): Promise<void> => {
    await intents.delete(intentName(intent))
    await restIfIdle()
  }

  const restIfIdle = async (): Promise<void> => {
    if (idle === undefined || (await intents.any())) return
    await locks.exclusive(everyone, async () => {
      if (!(await intents.any())) await idle()
    })
  }

  /** The intent recorded under a name. Of one that cannot be read, which is reported, the name counts. */
  const intentIn = (found: Found<Intent>): Intent | undefined => {
    if ('value' in found) return found.value
    log.warn('the record of an attachment cannot be read; what it made is looked for by its name', {
      error: found.damage,
    })
    return attachmentNamed(found.name)
  }

  const recorded = async (id: AttachmentId): Promise<{ intent: Intent | undefined; revision: number }> => {
    const found = await intents.get(intentName(id))
    return { intent: found && intentIn(found), revision: found?.revision ?? 0 }
  }

  const del = async (intent: Intent, resources: ResourceList): Promise<void> => {
    const failures = await removeAll(resources(intent))
    if (failures.length > 0) throw together(failures, `detaching ${describe(intent)}`)
    await forget(intent)
  }

  const add = async (
    attachment: Intent,
    plan: (intent: Intent) => AttachmentPlan,
    { facts, exists, signal }: AddOptions,
  ): Promise<AddResult> => {
    const intent: Intent = { ...identity(attachment), ...(facts && { facts }) }
    const before = await recorded(intent)
    if ((await exists(intent)) || (before.intent && (await exists(before.intent)))) {
      throw new CniError('CNI_INTERFACE_EXISTS', `${describe(intent)} is attached already; DEL it first`)
    }
    if (before.intent) {
      log.info('removing what an earlier ADD left', { ...identity(before.intent) })
      const failures = await removeAll(plan(before.intent).resources)
      if (failures.length > 0)
        throw together(failures, `removing what an earlier ADD of ${describe(intent)} left`)
    }
    signal.throwIfAborted()
    await record(intent, before.revision)
    const begun: Resource[] = []
    try {
      const { resources, result } = plan(intent)
      for (const resource of resources) {
        signal.throwIfAborted()
        begun.push(resource)
        await resource.ensure()
      }
      signal.throwIfAborted()
      return result()
    } catch (error) {
      throw await undone(error, signal, begun, intent, () => forget(intent))
    }
  }

  return {
    add: (attachment, plan, options) =>
      alone(attachment, () => add(attachment, plan, options), options.signal),

    async check(attachment, resources, foreign) {
      const { intent } = await recorded(attachment)
      if (intent === undefined && foreign === undefined) {
        throw new CniError(
          'CNI_CHECK_FAILED',
          `${describe(attachment)} is not attached: there is no record of it`,
        )
      }
      const failures: CniError[] = []
      const list = intent === undefined && foreign ? foreign : resources
      for (const resource of list({ ...intent, ...identity(attachment) })) {
        await resource.verify().catch((error: unknown) => failures.push(toCniError(error, resource.name)))
      }
      if (failures.length === 0) return
      throw new CniError(
        'CNI_CHECK_FAILED',
        `${describe(attachment)} is not as ADD left it: ${failures[0]?.message}`,
        {
          cause: failures.length === 1 ? failures[0] : new AggregateError(failures),
          details: failures.map(explain).join('; '),
        },
      )
    },

    del: (attachment, resources, foreign) =>
      alone(attachment, async () => {
        const { intent } = await recorded(attachment)
        const all: ResourceList =
          intent === undefined && foreign ? (each) => [...resources(each), ...foreign(each)] : resources
        await del({ ...intent, ...identity(attachment) }, all)
      }),

    async gc(valid, resources) {
      const alive = new Set(valid.map(intentName))
      const failures: CniError[] = []
      for (const found of await intents.list()) {
        if (alive.has(found.name)) continue
        const intent = intentIn(found)
        if (intent === undefined) continue
        await alone(intent, () => del(intent, resources)).catch((error: unknown) =>
          failures.push(toCniError(error)),
        )
      }
      await restIfIdle().catch((error: unknown) => failures.push(toCniError(error)))
      if (failures.length > 0) throw together(failures, 'collecting garbage')
    },

    async rebuild(found) {
      for (const attachment of found) {
        if (!attachment.markedBy.includes(type)) continue
        const name = intentName(attachment)
        if (await intents.get(name)) continue
        await intents.put(name, identity(attachment), { ifRevision: 0 })
      }
    },

    async list() {
      return (await intents.list()).flatMap((found) => ('value' in found ? [found.value] : []))
    },
  }
}

async function undone(
  error: unknown,
  signal: AbortSignal,
  begun: readonly Resource[],
  intent: Intent,
  forget: () => Promise<unknown>,
): Promise<CniError> {
  const failures = await removeAll(begun)
  if (failures.length === 0) {
    await forget().catch((cause: unknown) => failures.push(toCniError(cause, 'forgetting the attachment')))
  }
  const culprit = signal.aborted ? undefined : begun.at(-1)?.name
  const translated = signal.aborted
    ? new CniError('CNI_TRY_AGAIN_LATER', `attaching ${describe(intent)} was given up`, { cause: error })
    : toCniError(error, culprit)
  const original = onceApplied(translated)
  if (failures.length === 0) return original
  const left = `not removed, DEL will: ${failures.map(explain).join('; ')}`
  return new CniError(original.code, original.message, {
    cause: new AggregateError([error, ...failures]),
    number: original.number,
    details: original.details === undefined ? left : `${original.details}; ${left}`,
  })
}

/** Every one in reverse, whatever the others did. */
async function removeAll(resources: readonly Resource[]): Promise<CniError[]> {
  const failures: CniError[] = []
  for (const resource of resources.toReversed()) {
    await resource.remove().catch((error: unknown) => failures.push(toCniError(error, resource.name)))
  }
  return failures
}

/** Several failures as one: the first one's code and message, all of them in the details. */
export function together(failures: readonly CniError[], doing: string): CniError {
  const [first] = failures
  if (first === undefined) throw new RangeError('there is no failure to report')
  const error = onceApplied(toCniError(first, doing))
  return new CniError(error.code, error.message, {
    cause: failures.length === 1 ? first : new AggregateError(failures),
    number: error.number,
    details: failures.map(explain).join('; '),
  })
}

function explain(error: CniError): string {
  return error.details === undefined ? error.message : `${error.message} (${error.details})`
}

function identity({ containerId, ifName, netns }: Intent): Intent {
  return { containerId, ifName, ...(netns !== undefined && { netns }) }
}

function describe({ containerId, ifName }: AttachmentId): string {
  return `container ${containerId}, interface ${ifName}`
}
