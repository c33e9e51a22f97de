// IPv6 extension headers, RFC 8200 section 4: next header 1, length 1 in units of 8 octets beyond the first.
const HOP_BY_HOP = 0
const ROUTING = 43
const FRAGMENT = 44
const DESTINATION_OPTIONS = 60
const HEADER = 40
const SHIFT = 0x10_0000

/** The protocol of what `locateTransport6` found. */
export function protocolOf(located: number): number {
  return Math.floor(located / SHIFT)
}

/** Where in the buffer it begins. */
export function placeOf(located: number): number {
  return located % SHIFT
}

/**
 * Protocol and place, in one number, of the first header of the packet `bytes[start, end)` that is no extension, or
 * that is a fragment header. -1 where the headers do not fit.
 */
export function locateTransport6(bytes: Uint8Array, start: number, end: number): number {
  let protocol = bytes[start + 6] as number
  let at = start + HEADER
  while (protocol === HOP_BY_HOP || protocol === ROUTING || protocol === DESTINATION_OPTIONS) {
    if (at + 8 > end) return -1
    protocol = bytes[at] as number
    at += 8 + 8 * (bytes[at + 1] as number)
  }
  return at > end ? -1 : protocol * SHIFT + at
}

/** Where the fragment header is, and the octet that names it; undefined where there is none that fits. */
export function locateFragment6(
  bytes: Uint8Array,
  start: number,
  end: number,
): { readonly at: number; readonly pointer: number } | undefined {
  let pointer = start + 6
  let at = start + HEADER
  for (;;) {
    const protocol = bytes[pointer] as number
    if (at + 8 > end) return undefined
    if (protocol === FRAGMENT) return { at, pointer }
    if (protocol !== HOP_BY_HOP && protocol !== ROUTING && protocol !== DESTINATION_OPTIONS) return undefined
    pointer = at
    at += 8 + 8 * (bytes[at + 1] as number)
  }
}
