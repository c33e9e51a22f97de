import type { Store } from '@podfabric/store'
import { CniError } from './error.ts'
import type { JsonObject } from './json.ts'
import { JsonReader } from './json-reader.ts'
import { isJsonObject, parseJson } from './parse-json.ts'
import { type Records, recordsIn } from './records.ts'
import type { AttachmentId } from './request.ts'

/**
 * What was meant to come to be, written down before anything was: after a kill, a reboot or a change of configuration it says
 * what to look for. It stays until everything is removed.
 */
export interface Intent extends AttachmentId {
  /** CNI_NETNS of the ADD; missing when only a DEL that found no record speaks. */
  readonly netns?: string
  /** What the plugin has to know again that the request does not tell: the bridge's name, say. JSON. */
  readonly facts?: JsonObject
}

/** The intents of one plugin on one node, one under each attachment's name. */
export function intentsOf(store: Store, type: string, node: string): Records<Intent> {
  return recordsIn(store, `attachments/${encodeURIComponent(type)}/${encodeURIComponent(node)}/`, {
    parse: parseIntent,
    format: (intent) => JSON.stringify(intent),
  })
}

export function intentName({ containerId, ifName }: AttachmentId): string {
  return `${containerId}/${encodeURIComponent(ifName)}`
}

/** The attachment that a name in the store stands for: also where its value is damaged. */
export function attachmentNamed(name: string): AttachmentId | undefined {
  const [containerId, ifName, ...more] = name.split('/')
  if (!containerId || !ifName || more.length > 0) return undefined
  try {
    return { containerId, ifName: decodeURIComponent(ifName) }
  } catch {
    // Not a name that `intentName` gives; nothing of ours can be found by it.
    return undefined
  }
}

function parseIntent(text: string): Intent {
  const value = parseJson(text, { what: 'the intent' })
  const reader = new JsonReader(value, '')
  const netns = reader.text('netns')
  const facts = isJsonObject(value) ? value.facts : undefined
  if (facts !== undefined && !isJsonObject(facts)) {
    throw new CniError('CNI_DECODING_FAILURE', 'facts: expected an object')
  }
  return {
    containerId: reader.required('containerId', reader.text('containerId'), 'a container id'),
    ifName: reader.required('ifName', reader.text('ifName'), 'the name of an interface'),
    ...(netns !== undefined && { netns }),
    ...(facts !== undefined && { facts }),
  }
}
