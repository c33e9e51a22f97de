/** What an installed copy of the thin client knows: all absolute paths. */
export interface Trailer {
  /** The agent's socket, where PODFABRIC_AGENT names no other. */
  readonly socket: string
  /** The state folder, where PODFABRIC_STATE names no other. */
  readonly state: string
  /** The program that runs the script, with the plugin's type as its argument, when no agent answers. */
  readonly node: string
  readonly script: string
}

const mark = 'PFTRAIL1'
const endLength = 16
/** As the client has it. */
const maxTexts = 16_384

/**
 * The octets that follow the client's own in an installed copy: four texts ended by zeros; their length and their checksum
 * (FNV-1a), 32-bit little-endian; `PFTRAIL1`. RangeError for a path that is not absolute, holds a zero, or is too long.
 */
export function formatTrailer({ socket, state, node, script }: Trailer): Uint8Array {
  for (const path of [socket, state, node, script]) {
    if (!path.startsWith('/') || path.includes('\0')) {
      throw new RangeError(`${JSON.stringify(path)}: expected an absolute path`)
    }
  }
  const texts = new TextEncoder().encode(`${socket}\0${state}\0${node}\0${script}\0`)
  if (texts.length > maxTexts)
    throw new RangeError(`the paths have ${texts.length} octets, at most ${maxTexts}`)
  const octets = new Uint8Array(texts.length + endLength)
  octets.set(texts)
  const view = new DataView(octets.buffer, texts.length)
  view.setUint32(0, texts.length, true)
  view.setUint32(4, checksum(texts), true)
  octets.set(new TextEncoder().encode(mark), texts.length + 8)
  return octets
}

/** What is written behind a file; undefined where there is nothing of ours, or it is damaged. */
export function parseTrailer(file: Uint8Array): Trailer | undefined {
  const endAt = file.length - endLength
  if (endAt < 0 || new TextDecoder().decode(file.subarray(endAt + 8)) !== mark) return undefined
  const view = new DataView(file.buffer, file.byteOffset + endAt)
  const length = view.getUint32(0, true)
  if (length > maxTexts || length > endAt) return undefined
  const texts = file.subarray(endAt - length, endAt)
  if (checksum(texts) !== view.getUint32(4, true)) return undefined
  const [socket, state, node, script, rest, ...more] = new TextDecoder().decode(texts).split('\0')
  if (socket === undefined || state === undefined || node === undefined || script === undefined)
    return undefined
  return rest === '' && more.length === 0 ? { socket, state, node, script } : undefined
}

function checksum(octets: Uint8Array): number {
  let sum = 2_166_136_261
  for (const octet of octets) sum = Math.imul(sum ^ octet, 16_777_619)
  return sum >>> 0
}
