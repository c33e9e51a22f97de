/** Record types by number (IANA). Those without a layout of their own here are `TYPEn` in records, as in RFC 3597. */
const types = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  SVCB: 64,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const

/** A type that has a name here. */
export type NamedType = keyof typeof types
/** A type of a question: by name where it has one, otherwise `TYPE` and its number. */
export type QuestionType = NamedType | `TYPE${number}`

const typeCodes = new Map<string, number>(Object.entries(types))
const typeNames = new Map<number, NamedType>(
  Object.entries(types).map(([name, code]) => [code, name as NamedType]),
)

export function typeCode(type: QuestionType): number {
  return typeCodes.get(type) ?? numberedCode(type, 'TYPE')
}

export function typeName(code: number): QuestionType {
  return typeNames.get(code) ?? `TYPE${code}`
}

/** The type that a person wrote, in either case; undefined when there is none of that name. */
export function parseType(text: string): QuestionType | undefined {
  const upper = text.toUpperCase()
  const code = typeCodes.get(upper)
  if (code !== undefined) return typeName(code)
  return /^TYPE\d{1,5}$/.test(upper) && Number(upper.slice(4)) <= 0xffff
    ? typeName(Number(upper.slice(4)))
    : undefined
}

const classes = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const

type NamedClass = keyof typeof classes
export type RecordClass = NamedClass | `CLASS${number}`

const classCodes = new Map<string, number>(Object.entries(classes))
const classNames = new Map<number, NamedClass>(
  Object.entries(classes).map(([name, code]) => [code, name as NamedClass]),
)

export function classCode(recordClass: RecordClass): number {
  return classCodes.get(recordClass) ?? numberedCode(recordClass, 'CLASS')
}

export function className(code: number): RecordClass {
  return classNames.get(code) ?? `CLASS${code}`
}

function numberedCode(text: string, prefix: string): number {
  const code = Number(text.slice(prefix.length))
  if (!text.startsWith(prefix) || !Number.isInteger(code) || code < 0 || code > 0xffff) {
    throw new RangeError(`${text} is not ${prefix} and a number from 0 to 65535`)
  }
  return code
}
