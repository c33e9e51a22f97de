import { CniError } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import { JsonReader, wrongValue } from '../json-reader.ts'
import { keyPath } from '../parse-json.ts'
import type { AttachmentId } from '../request.ts'

/** The key of the specification as it stands, and that of its 1.1.0 tag. */
export const validAttachmentsKey = 'cni.dev/valid-attachments'
export const taggedAttachmentsKey = 'cni.dev/attachments'

/**
 * What GC must keep. Where both keys are there, what either names is kept. `null` is an empty list, as the specification's
 * library writes one. Throws CNI_INVALID_NETWORK_CONFIG when neither key is there, or an entry is not readable: what is not
 * known to be stale must not be removed.
 */
export function parseValidAttachments(config: JsonObject): readonly AttachmentId[] {
  const given = [validAttachmentsKey, taggedAttachmentsKey].filter((key) => Object.hasOwn(config, key))
  if (given.length === 0) {
    throw new CniError(
      'CNI_INVALID_NETWORK_CONFIG',
      `${validAttachmentsKey}: it is missing; without it GC cannot tell what is still in use`,
    )
  }
  const parsed = given.flatMap((key) => parseList(config[key], keyPath('', key)))
  return [...new Map(parsed.map((id) => [`${id.containerId}/${id.ifName}`, id])).values()]
}

function parseList(value: Json | undefined, path: string): readonly AttachmentId[] {
  if (value === null) return []
  if (!Array.isArray(value)) throw invalid(wrongValue(path, 'a list of attachments', value))
  return value.map((item: Json, index) => parseEntry(item, keyPath(path, index)))
}

function parseEntry(value: Json, path: string): AttachmentId {
  try {
    const reader = new JsonReader(value, path)
    return {
      containerId: reader.required('containerID', reader.text('containerID'), 'a container id'),
      ifName: reader.required('ifname', reader.text('ifname'), 'the name of an interface'),
    }
  } catch (error) {
    if (error instanceof CniError) throw invalid(error)
    throw error
  }
}

function invalid(error: CniError): CniError {
  return new CniError('CNI_INVALID_NETWORK_CONFIG', error.message, { cause: error })
}
