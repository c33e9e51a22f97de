/** What a numeric longest-prefix table answers where nothing matches. Values are 0 to 2^31 - 2. */
export const NO_ROUTE = -1

/** `RangeError` unless `value` can be stored in a numeric longest-prefix table. */
export function checkLpmValue(value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > 0x7fff_fffe) {
    throw new RangeError(`a longest-prefix table stores whole numbers from 0 to 2^31 - 2, not ${value}`)
  }
}

/** `RangeError` unless `length` is a whole number from 0 to `bits`. */
export function checkLpmLength(length: number, bits: number): void {
  if (!Number.isInteger(length) || length < 0 || length > bits) {
    throw new RangeError(`prefix length ${length} is not between 0 and ${bits}`)
  }
}
