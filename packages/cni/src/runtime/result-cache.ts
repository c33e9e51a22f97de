import type { Store } from '@podfabric/store'
import { formatArgs, parseArgs } from '../args.ts'
import { CniError } from '../error.ts'
import { formatResult } from '../format-result.ts'
import type { JsonObject } from '../json.ts'
import { JsonReader } from '../json-reader.ts'
import { isJsonObject, parseJson } from '../parse-json.ts'
import { parseResult } from '../parse-result.ts'
import { type Records, recordsIn } from '../records.ts'
import type { AttachmentId } from '../request.ts'
import type { AddResult } from '../result.ts'
import { newestCniVersion } from '../version.ts'

/** An attachment as the runtime remembers it: from before its first plugin is called until its DEL has succeeded. */
export interface CachedAttachment extends AttachmentId {
  readonly network: string
  readonly netns: string
  readonly args: Readonly<Record<string, string>>
  readonly capabilityArgs: JsonObject
  /** The last plugin's result; missing while ADD runs, and where it failed. */
  readonly result?: AddResult
}

/** One entry for each attachment, under its network; a segment for each name, so that no two share a key. */
export function resultCache(store: Store): Records<CachedAttachment> {
  return recordsIn(store, 'results/', { parse, format })
}

export function cacheName(network: string, { containerId, ifName }: AttachmentId): string {
  return `${network}/${containerId}/${encodeURIComponent(ifName)}`
}

const kind = 'podfabricResultV1'

function format(attachment: CachedAttachment): string {
  const { network, containerId, ifName, netns, args, capabilityArgs, result } = attachment
  return JSON.stringify({
    kind,
    networkName: network,
    containerId,
    ifName,
    netns,
    cniArgs: formatArgs(args),
    capabilityArgs,
    ...(result && { result: formatResult(result, newestCniVersion) }),
  })
}

function parse(text: string): CachedAttachment {
  const value = parseJson(text, { what: 'the cached result' })
  const reader = new JsonReader(value, '')
  if (reader.text('kind') !== kind || !isJsonObject(value)) {
    throw new CniError('CNI_DECODING_FAILURE', `kind: expected ${kind}`)
  }
  const { capabilityArgs, result } = value
  return {
    network: reader.required('networkName', reader.text('networkName'), 'the name of a network'),
    containerId: reader.required('containerId', reader.text('containerId'), 'a container id'),
    ifName: reader.required('ifName', reader.text('ifName'), 'the name of an interface'),
    netns: reader.text('netns') ?? '',
    args: parseArgs(reader.text('cniArgs') ?? ''),
    capabilityArgs: isJsonObject(capabilityArgs) ? capabilityArgs : {},
    ...(result !== undefined && {
      result: parseResult(result, { version: newestCniVersion, path: 'result' }).result,
    }),
  }
}
