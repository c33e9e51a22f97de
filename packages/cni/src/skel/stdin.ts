import { CniError } from '../error.ts'

/** Octets of stdin that are read at most. */
export const maxStdin = 8_388_608

/** Reads all of a stream of octets or texts. Throws CNI_DECODING_FAILURE over `limit`, CNI_IO_FAILURE where reading fails. */
export async function readAll(
  stream: AsyncIterable<Uint8Array | string>,
  limit = maxStdin,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of stream) {
      const octets = typeof part === 'string' ? new TextEncoder().encode(part) : part
      length += octets.length
      if (length > limit) throw tooLong(limit)
      parts.push(octets)
    }
  } catch (cause) {
    if (cause instanceof CniError) throw cause
    throw new CniError('CNI_IO_FAILURE', 'stdin cannot be read', { cause })
  }
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** The text of stdin. Throws CNI_DECODING_FAILURE when it is not UTF-8, or longer than `limit` octets. */
export function decodeStdin(stdin: Uint8Array | string, limit = maxStdin): string {
  if (stdin.length > limit) throw tooLong(limit)
  if (typeof stdin === 'string') return stdin
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(stdin)
  } catch (cause) {
    throw new CniError('CNI_DECODING_FAILURE', 'stdin is not UTF-8', { cause })
  }
}

function tooLong(limit: number): CniError {
  return new CniError('CNI_DECODING_FAILURE', `stdin is longer than the ${limit} octets that are read`)
}
