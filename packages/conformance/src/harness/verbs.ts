import type { JsonObject } from '@podfabric/cni'
import type { SubjectList } from '../subject.ts'
import { type Attachment, attachmentOf } from './attachment.ts'
import type { Call, CallOptions } from './caller.ts'
import type { Exchange, Verb } from './exchange.ts'
import { expectations, hasSucceeded } from './expectations.ts'
import type { PluginNode } from './node.ts'
import type { Pod } from './place.ts'

/** The version that GC and STATUS came with: asked in it, a plugin that lists it serves them whatever the list's own version is. */
const tendVersion = '1.1.0'

export interface AttachOptions extends CallOptions {
  /** Default: the subject's. */
  readonly ifName?: string
}

export interface DetachOptions extends CallOptions {
  /** Leaves prevResult out, as a runtime that has lost its cache. */
  readonly forgotten?: boolean
}

/** An attachment by its names alone. */
export interface AttachmentName {
  readonly pod: Pod
  readonly ifName: string
}

/**
 * The verbs over the whole list, as a runtime runs it (SPEC 1.1.0, section 3): in order, each plugin with its predecessor's
 * result, up to the first that fails; DEL in reverse, with the final result. `try…` give the last call made, whatever came of it;
 * the others fail the case unless every plugin succeeded.
 */
export interface Verbs {
  tryAdd(pod: Pod, options?: AttachOptions): Promise<Exchange>
  add(pod: Pod, options?: AttachOptions): Promise<Attachment>
  tryCheck(attachment: Attachment, options?: CallOptions): Promise<Exchange>
  check(attachment: Attachment): Promise<void>
  tryDel(attachment: Attachment | AttachmentName, options?: DetachOptions): Promise<Exchange>
  del(attachment: Attachment | AttachmentName, options?: DetachOptions): Promise<void>
  /** GC of every plugin. `valid: undefined` leaves the list of valid attachments out. */
  tryGc(
    node: PluginNode,
    valid: readonly AttachmentName[] | undefined,
    options?: CallOptions,
  ): Promise<Exchange>
  tryStatus(node: PluginNode): Promise<Exchange>
  /** One call of one plugin. */
  call: Call
}

export interface VerbOptions {
  readonly call: Call
  readonly list: SubjectList
  readonly ifName: string
  readonly nodeOf: (name: string) => PluginNode
}

export function verbsOver({ call, list, ifName: usual, nodeOf }: VerbOptions): Verbs {
  const indexes = (from: SubjectList) => from.plugins.map((_plugin, index) => index)

  const each = async (
    order: readonly number[],
    run: (plugin: number) => Promise<Exchange>,
  ): Promise<Exchange> => {
    let last: Exchange | undefined
    for (const plugin of order) {
      last = await run(plugin)
      if (!hasSucceeded(last)) return last
    }
    if (last === undefined) throw new RangeError('the list has no plugin')
    return last
  }

  const attach = async (pod: Pod, options: AttachOptions) => {
    const { ifName = usual, version = (options.list ?? list).cniVersion } = options
    let previous: JsonObject | undefined
    const exchange = await each(indexes(options.list ?? list), async (plugin) => {
      const config = { ...(previous && { prevResult: previous }), ...options.config }
      const last = await call(nodeOf(pod.node), 'ADD', envOf(pod, ifName), { ...options, plugin, config })
      if (hasSucceeded(last)) previous = attachmentOf(pod, ifName, last, version).document
      return last
    })
    return { exchange, ifName, version }
  }

  const verbs: Verbs = {
    call,
    tryAdd: async (pod, options = {}) => (await attach(pod, options)).exchange,
    async add(pod, options = {}) {
      const { exchange, ifName, version } = await attach(pod, options)
      expectations.succeeded(exchange)
      return attachmentOf(pod, ifName, exchange, version)
    },
    tryCheck: (attachment, options = {}) =>
      each(indexes(options.list ?? list), (plugin) => {
        const config = { prevResult: attachment.document, ...options.config }
        return again('CHECK', attachment, { ...options, plugin, config })
      }),
    async check(attachment) {
      expectations.succeeded(await verbs.tryCheck(attachment))
    },
    tryDel: (attachment, options = {}) =>
      each(indexes(options.list ?? list).reverse(), (plugin) => {
        const known = 'document' in attachment && options.forgotten !== true
        const config = { ...(known && { prevResult: attachment.document }), ...options.config }
        return again('DEL', attachment, { ...options, plugin, config })
      }),
    async del(attachment, options) {
      expectations.succeeded(await verbs.tryDel(attachment, options))
    },
    tryGc: (node, valid, options = {}) =>
      each(indexes(options.list ?? list), (plugin) =>
        call(
          node,
          'GC',
          {},
          {
            version: tendVersion,
            ...options,
            plugin,
            config: { ...attachmentLists(valid), ...options.config },
          },
        ),
      ),
    tryStatus: (node) =>
      each(indexes(list), (plugin) => call(node, 'STATUS', {}, { version: tendVersion, plugin })),
  }
  return verbs

  function again(verb: Verb, { pod, ifName }: AttachmentName, options: CallOptions): Promise<Exchange> {
    return call(nodeOf(pod.node), verb, envOf(pod, ifName), options)
  }
}

function envOf(pod: Pod, ifName: string): Readonly<Record<string, string>> {
  return { CNI_CONTAINERID: pod.containerId, CNI_NETNS: pod.path, CNI_IFNAME: ifName }
}

/** Under both names that the specification has had for it. */
function attachmentLists(valid: readonly AttachmentName[] | undefined): JsonObject {
  if (valid === undefined) return {}
  const list = valid.map(({ pod, ifName }) => ({ containerID: pod.containerId, ifname: ifName }))
  return { 'cni.dev/valid-attachments': list, 'cni.dev/attachments': list }
}
