/** The one reason for which this package refuses input; callers compare `code`. */
export type AddressErrorCode = 'ADDRESS_INVALID'

/** A text or octets that are not the address that was expected. The message names both. */
export class AddressError extends Error {
  override readonly name = 'AddressError'
  readonly code: AddressErrorCode = 'ADDRESS_INVALID'
  /** The text as it was given. */
  readonly text: string
  /** What would have been accepted, such as "an IPv4 address like 10.0.0.1". */
  readonly expected: string

  constructor(text: string, expected: string, reason?: string) {
    const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
    super(`${shown} is not ${expected}${reason === undefined ? '' : `: ${reason}`}`)
    this.text = text
    this.expected = expected
  }
}
