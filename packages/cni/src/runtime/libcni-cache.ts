import { CniError } from '../error.ts'
import type { Json } from '../json.ts'
import { JsonReader } from '../json-reader.ts'
import { isJsonObject, parseJson } from '../parse-json.ts'
import { parseResult } from '../parse-result.ts'
import type { AttachmentId } from '../request.ts'
import type { AddResult } from '../result.ts'
import { toCniError } from '../to-cni-error.ts'
import { newestCniVersion } from '../version.ts'

/** What libcni, the library of podman, containerd and CRI-O, keeps of an attachment from its ADD to its DEL. */
export interface LibcniAttachment extends AttachmentId {
  readonly network: string
  /** CNI_NETNS of the ADD; missing where libcni was too old to write it down and the result does not tell. */
  readonly netns?: string
  /** The result of the list; `damage` says what is wrong with one that cannot be read. */
  readonly result?: AddResult
  readonly damage?: CniError
}

/**
 * Reads one file of libcni's folder `results` (kind `cniCacheV1`). CNI_DECODING_FAILURE for what is none, an empty or half
 * written file among them: libcni writes without a temporary name.
 */
export function parseLibcniAttachment(text: string): LibcniAttachment {
  const value = parseJson(text, { what: 'a cached result of libcni' })
  const reader = new JsonReader(value, '')
  if (reader.text('kind') !== 'cniCacheV1' || !isJsonObject(value)) {
    throw new CniError('CNI_DECODING_FAILURE', 'kind: expected cniCacheV1')
  }
  const known = {
    network: reader.required('networkName', reader.text('networkName'), 'the name of a network'),
    containerId: reader.required('containerId', reader.text('containerId'), 'a container id'),
    ifName: reader.required('ifName', reader.text('ifName'), 'the name of an interface'),
  }
  const written = reader.text('netns')
  const { result, damage } = readResult(value.result)
  const sandbox = result?.interfaces.find(({ name, sandbox }) => name === known.ifName && sandbox)?.sandbox
  const netns = written || sandbox
  return { ...known, ...(netns && { netns }), ...(result && { result }), ...(damage && { damage }) }
}

function readResult(value: Json | undefined): { readonly result?: AddResult; readonly damage?: CniError } {
  if (value === undefined || value === null) return {}
  try {
    if (!isJsonObject(value)) throw new CniError('CNI_DECODING_FAILURE', 'result: expected an object')
    return { result: parseResult(value, { version: newestCniVersion, path: 'result' }).result }
  } catch (error) {
    return { damage: toCniError(error) }
  }
}
