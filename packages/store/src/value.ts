import { StoreError } from './store-error.ts'

/** Longest value of one key, and of all puts of one transaction together, in UTF-16 code units. */
export const maxValueLength = 262_144

// With the u flag a pair is one character of another category.
const loneSurrogate = /\p{Surrogate}/u

/** Returns `value` if it can be stored under `key`, or throws STORE_INVALID_VALUE. */
export function parseValue(key: string, value: string): string {
  if (typeof value !== 'string') {
    throw new StoreError('STORE_INVALID_VALUE', `value of ${key} is a ${typeof value}: must be a string`)
  }
  if (value.length > maxValueLength) {
    throw new StoreError(
      'STORE_INVALID_VALUE',
      `value of ${key} is ${value.length} characters long: at most ${maxValueLength}; split it over several keys`,
    )
  }
  // A lone surrogate has no UTF-8 form, so a store that writes bytes would give back something else.
  if (loneSurrogate.test(value)) {
    throw new StoreError(
      'STORE_INVALID_VALUE',
      `value of ${key} has a lone surrogate: must be well-formed text`,
    )
  }
  return value
}
