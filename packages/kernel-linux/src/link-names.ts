/** Which name the link with an index has. */
export type NameOf = (index: number) => string

/** Which index the link with a name has; ENODEV. */
export type IndexOf = (name: string) => number

/** A name for a link that is gone by now, or lives in another namespace. */
export function unknownName(index: number): string {
  return `#${index}`
}
