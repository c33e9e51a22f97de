import { DnsError } from '../dns-error.ts'
import { type Reader, uint16At } from './reader.ts'
import { reserve, type Writer, writeUint16 } from './writer.ts'

/**
 * A domain name as text, labels from the host up, without the final dot: `web.default.svc.cluster.local`. The root is `.`.
 * Octets that are not printable ASCII are written `\DDD`, a dot or backslash inside a label as `\.` and `\\` (RFC 1035,
 * section 5.1). Case is kept; compare names by `nameKey`.
 */
export type Name = string

export const maxNameLength = 255
export const maxLabelLength = 63

/** As many as a name can have labels; a chain of bare pointers is nothing but work. */
const maxJumps = 127

const dot = 46
const backslash = 92

/** How each octet is written inside a name. */
const presentation: readonly string[] = Array.from({ length: 256 }, (_, octet) => {
  if (octet === dot || octet === backslash) return `\\${String.fromCharCode(octet)}`
  if (octet > 32 && octet < 127) return String.fromCharCode(octet)
  return `\\${String(octet).padStart(3, '0')}`
})

/** The form in which equal names are equal strings: ASCII letters in lower case (RFC 4343). */
export function nameKey(name: Name): string {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code > 64 && code < 91) return name.toLowerCase()
  }
  return name
}

/** A name that a person wrote, with or without a final dot. `DNS_NAME` when it is none. */
export function parseName(text: string): Name {
  const name = text !== '.' && text.endsWith('.') && !endsInEscape(text) ? text.slice(0, -1) : text
  if (text === '..') throw badName(text, 'a label is empty')
  wireLength(name)
  return name
}

/** The labels of a name, from the host up; none for the root. Escapes are left as they are. */
export function labelsOf(name: Name): readonly string[] {
  if (name === '.') return []
  if (!name.includes('\\')) return name.split('.')
  const labels: string[] = []
  let label = ''
  for (let at = 0; at < name.length; at++) {
    if (name.charCodeAt(at) === dot) {
      labels.push(label)
      label = ''
    } else if (name.charCodeAt(at) === backslash) label += name.slice(at, ++at + 1)
    else label += name[at]
  }
  return [...labels, label]
}

/** Whether `name` is `ancestor` or below it. Both in the form of `nameKey`. */
export function isWithin(name: string, ancestor: string): boolean {
  if (ancestor === '.') return true
  if (!name.endsWith(ancestor)) return false
  const cut = name.length - ancestor.length
  return cut === 0 || (name.charCodeAt(cut - 1) === dot && name.charCodeAt(cut - 2) !== backslash)
}

/** The name one label up; undefined above the root. */
export function parentOf(name: Name): Name | undefined {
  if (name === '.') return undefined
  for (let at = 0; at < name.length; at++) {
    if (name.charCodeAt(at) === backslash) at++
    else if (name.charCodeAt(at) === dot) return name.slice(at + 1)
  }
  return '.'
}

/**
 * The name at the reader, compression followed. A pointer must lead backwards, past everything read of this name so far:
 * there are no loops, and a name costs no more than its 255 octets.
 */
export function readName(reader: Reader): Name {
  const { bytes } = reader
  let at = reader.offset
  let end = reader.end
  let after = -1
  let bound = at
  let length = 1
  let jumps = 0
  let name = ''
  for (;;) {
    if (at >= end)
      throw new DnsError('DNS_TRUNCATED', `name at octet ${reader.offset} runs past the end of its field`)
    const size = bytes[at] ?? 0
    if (size === 0) {
      reader.offset = after < 0 ? at + 1 : after
      return name === '' ? '.' : name
    }
    if (size >= 0xc0) {
      if (at + 2 > end) throw new DnsError('DNS_TRUNCATED', `pointer at octet ${at} is cut off`)
      const target = uint16At(bytes, at) & 0x3fff
      if (target >= bound)
        throw new DnsError('DNS_MALFORMED', `pointer at octet ${at} does not lead backwards`)
      if (++jumps > maxJumps)
        throw new DnsError('DNS_MALFORMED', `name at octet ${reader.offset} has too many pointers`)
      if (after < 0) after = at + 2
      bound = target
      at = target
      end = bytes.length
      continue
    }
    if (size > maxLabelLength)
      throw new DnsError('DNS_MALFORMED', `label type ${size >>> 6} at octet ${at} is unknown`)
    length += size + 1
    if (length > maxNameLength) {
      throw new DnsError(
        'DNS_MALFORMED',
        `name at octet ${reader.offset} is longer than ${maxNameLength} octets`,
      )
    }
    const labelEnd = at + 1 + size
    if (labelEnd > end)
      throw new DnsError('DNS_TRUNCATED', `label at octet ${at} runs past the end of its field`)
    if (name !== '') name += '.'
    for (at++; at < labelEnd; at++) name += presentation[bytes[at] ?? 0]
  }
}

/**
 * Writes a name, ending in a pointer to the longest part of it that is in the message already. Only equal case is shared,
 * so that every name keeps its own. `DNS_NAME` when it is none.
 */
export function writeName(writer: Writer, name: Name, compress = true): void {
  const { bytes, names } = writer
  if (name.length > maxNameLength - 2) wireLength(name)
  let at = 0
  while (name !== '.' && at < name.length) {
    const suffix = at === 0 ? name : name.slice(at)
    const known = names.get(suffix)
    if (known !== undefined && compress) {
      writeUint16(writer, 0xc000 | known)
      return
    }
    const start = reserve(writer, 1)
    if (start < 0x4000 && known === undefined) names.set(suffix, start)
    let octets = 0
    for (; at < name.length; at++) {
      let code = name.charCodeAt(at)
      if (code === dot) break
      if (code === backslash) {
        code = escapedOctet(name, at)
        at += isDigit(name.charCodeAt(at + 1)) ? 3 : 1
      } else if (code <= 32 || code >= 127) throw unprintable(name, at)
      if (++octets > maxLabelLength) throw badName(name, `a label is longer than ${maxLabelLength} octets`)
      bytes[reserve(writer, 1)] = code
    }
    if (octets === 0) throw badName(name, 'a label is empty')
    if (++at === name.length) throw badName(name, 'a label is empty')
    bytes[start] = octets
  }
  if (name === '') throw badName(name, 'it is empty; the root is "."')
  bytes[reserve(writer, 1)] = 0
}

/** Octets of the name in a message without compression. `DNS_NAME` when it is none. */
function wireLength(name: Name): number {
  if (name === '.') return 1
  if (name === '') throw badName(name, 'it is empty; the root is "."')
  let length = 1
  let label = 0
  for (let at = 0; at <= name.length; at++) {
    if (at === name.length || name.charCodeAt(at) === dot) {
      if (label === 0) throw badName(name, 'a label is empty')
      if (label > maxLabelLength) throw badName(name, `a label is longer than ${maxLabelLength} octets`)
      length += label + 1
      label = 0
      continue
    }
    if (name.charCodeAt(at) === backslash) {
      escapedOctet(name, at)
      at += isDigit(name.charCodeAt(at + 1)) ? 3 : 1
    } else if (name.charCodeAt(at) <= 32 || name.charCodeAt(at) >= 127) throw unprintable(name, at)
    label++
  }
  if (length > maxNameLength) throw badName(name, `it is longer than ${maxNameLength} octets`)
  return length
}

function escapedOctet(name: Name, at: number): number {
  const next = name.charCodeAt(at + 1)
  if (!isDigit(next)) {
    if (at + 1 >= name.length) throw badName(name, 'it ends in a backslash')
    return next
  }
  const digits = name.slice(at + 1, at + 4)
  const octet = Number(digits)
  if (!/^\d{3}$/.test(digits) || octet > 255) throw badName(name, `\\${digits} is not an octet`)
  return octet
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function endsInEscape(text: string): boolean {
  return /(^|[^\\])(\\\\)*\\\.$/.test(text)
}

function unprintable(name: Name, at: number): DnsError {
  return badName(name, `write ${JSON.stringify(name[at])} as \\DDD`)
}

function badName(name: string, reason: string): DnsError {
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name
  return new DnsError('DNS_NAME', `${JSON.stringify(shown)} is not a domain name: ${reason}`)
}
