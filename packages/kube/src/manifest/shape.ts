import type { KubeErrorCode, ManifestWarningCode } from '../kube-error.ts'
import { extendPath, type Place } from './report.ts'
import { similar } from './similar.ts'
import type { YamlEntry, YamlTree } from './yaml-tree.ts'

/** What a shape gives for a value that it has complained about. */
export const refused: unique symbol = Symbol('refused')

/** How one kind of value is read from YAML: as a `T`, or refused with an error at its own position. */
export interface Shape<T> {
  /** What should have been written, to follow "expected": `an integer from 1 to 65535`. */
  readonly expected: string
  read(place: Place): T | typeof refused
}

export function text(expected = 'a string', accepts: (value: string) => boolean = () => true): Shape<string> {
  return scalar(expected, (value) => (typeof value === 'string' && accepts(value) ? value : refused))
}

/** A text that `parse` turns into a value; it refuses by throwing. */
export function parsed<T>(expected: string, parse: (text: string) => T): Shape<T> {
  return {
    expected,
    read(place) {
      const { tree } = place
      if (tree.kind !== 'scalar' || typeof tree.value !== 'string') return refuse(place, expected)
      try {
        return parse(tree.value)
      } catch {
        return refuse(place, expected)
      }
    },
  }
}

export function integer(
  min: number,
  max: number,
  expected = `an integer from ${min} to ${max}`,
): Shape<number> {
  return scalar(expected, (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : refused,
  )
}

export const boolean: Shape<boolean> = scalar('true or false', (value) =>
  typeof value === 'boolean' ? value : refused,
)

export function oneOf<const T extends string>(...values: readonly T[]): Shape<T> {
  const expected = values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`
  return scalar(expected, (value) => values.find((candidate) => candidate === value) ?? refused)
}

/** The first shape for numbers, the second for everything else. */
export function numberOr<N, T>(number: Shape<N>, other: Shape<T>): Shape<N | T> {
  return {
    expected: `${number.expected} or ${other.expected}`,
    read(place) {
      const isNumber = place.tree.kind === 'scalar' && typeof place.tree.value === 'number'
      return isNumber ? number.read(place) : other.read(place)
    },
  }
}

export function list<T>(
  item: Shape<T>,
  limits: { readonly min?: number; readonly max?: number } = {},
): Shape<readonly T[]> {
  const { min = 0, max = Number.POSITIVE_INFINITY } = limits
  const expected =
    max < Number.POSITIVE_INFINITY
      ? `a list of at most ${max}`
      : `a list${min > 0 ? ' that is not empty' : ''}`
  return {
    expected,
    read(place) {
      const { tree, path, report } = place
      if (tree.kind !== 'list') return refuse(place, expected)
      if (tree.items.length < min || tree.items.length > max) return refuse(place, expected)
      const items = tree.items.map((child, index) =>
        item.read({ tree: child, path: extendPath(path, index), report }),
      )
      return items.every((value) => value !== refused) ? (items as readonly T[]) : refused
    },
  }
}

/** A map with keys of the author's choice. */
export function record<T>(key: Shape<string>, value: Shape<T>): Shape<Readonly<Record<string, T>>> {
  const expected = 'a map'
  return {
    expected,
    read(place) {
      const { tree, path, report } = place
      if (tree.kind !== 'map') return refuse(place, expected)
      const entries = [...tree.entries].map(([name, entry]) => {
        const keyTree: YamlTree = { kind: 'scalar', value: name, at: entry.at, size: 1 }
        const inner = { path: extendPath(path, name), report }
        return [key.read({ tree: keyTree, ...inner }), value.read({ tree: entry.value, ...inner })] as const
      })
      const sound = entries.every(([name, content]) => name !== refused && content !== refused)
      return sound ? (Object.fromEntries(entries) as Record<string, T>) : refused
    },
  }
}

/** A shape whose value may be absent: with a value to put in its place, or left out of the object. */
export interface Field<T> {
  readonly presence: 'required' | 'optional' | 'fallback'
  readonly shape: Shape<T>
  readonly value?: T
}

interface PresentField<T> extends Field<T> {
  readonly presence: 'required' | 'fallback'
}

export function required<T>(shape: Shape<T>): PresentField<T> {
  return { presence: 'required', shape }
}

export function optional<T>(shape: Shape<T>): Field<T> {
  return { presence: 'optional', shape }
}

/** What Kubernetes would fill in. */
export function fallback<T>(value: NoInfer<T>, shape: Shape<T>): PresentField<T> {
  return { presence: 'fallback', shape, value }
}

/** A field for each property of `T`; one that `T` always has must be required or have a fallback. */
export type Fields<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K>
    ? Field<Exclude<T[K], undefined>>
    : PresentField<T[K]>
}

export interface OtherFields {
  /** Kubernetes' fields that do not change the network: read past. */
  readonly ignored?: readonly string[]
  /** Kubernetes' fields that would, and do nothing here: each is warned about. */
  readonly unsupported?: readonly string[]
}

/**
 * A map with known fields. `null` counts as absent, as in Kubernetes. A field that is one typing error away from a known
 * one is an error; any other unknown field a warning.
 */
export function object<T>(fields: Fields<T>, others: OtherFields = {}): Shape<T> {
  const expected = 'a map'
  const known = new Map<string, Field<unknown>>(Object.entries(fields))
  const ignored = new Set(others.ignored)
  const unsupported = new Set(others.unsupported)
  const names = [...known.keys(), ...ignored, ...unsupported]

  function readField(
    place: Place,
    name: string,
    field: Field<unknown>,
    entry: YamlEntry | undefined,
  ): unknown {
    const path = extendPath(place.path, name)
    if (entry !== undefined && !isNull(entry.value)) {
      return field.shape.read({ tree: entry.value, path, report: place.report })
    }
    if (field.presence !== 'required') return field.value
    place.report.error('KUBE_MISSING', place.tree.at, path, `missing; expected ${field.shape.expected}`)
    return refused
  }

  /** The field that an unknown one was meant to be. */
  function judgeOther(place: Place, name: string, entry: YamlEntry): string | undefined {
    if (ignored.has(name) || isNull(entry.value)) return undefined
    const path = extendPath(place.path, name)
    if (unsupported.has(name)) {
      place.report.warning('KUBE_UNSUPPORTED_FIELD', entry.at, path, 'not implemented; it has no effect')
      return undefined
    }
    const meant = similar(name, names)
    if (meant === undefined) {
      place.report.warning('KUBE_UNKNOWN_FIELD', entry.at, path, 'unknown field; it has no effect')
    } else {
      place.report.error('KUBE_MISSPELT', entry.at, path, `unknown field; did you mean ${meant}?`)
    }
    return meant
  }

  return {
    expected,
    read(place) {
      const { tree } = place
      if (tree.kind !== 'map') return refuse(place, expected)
      const misspelt = new Set<string>()
      for (const [name, entry] of tree.entries) {
        const meant = known.has(name) ? undefined : judgeOther(place, name, entry)
        if (meant !== undefined) misspelt.add(meant)
      }
      let sound = misspelt.size === 0
      const result: [string, unknown][] = []
      for (const [name, field] of known) {
        const entry = tree.entries.get(name)
        if (entry === undefined && misspelt.has(name)) continue
        const value = readField(place, name, field, entry)
        if (value === refused) sound = false
        else if (value !== undefined) result.push([name, value])
      }
      // Every property was read by the field that `Fields<T>` ties to it.
      return sound ? (Object.fromEntries(result) as T) : refused
    },
  }
}

/** Says what is wrong with the part of a value that `steps` lead to. */
export interface Complain {
  (steps: readonly (string | number)[], reason: string, code?: KubeErrorCode): void
  /** The value is kept all the same. */
  warn(steps: readonly (string | number)[], reason: string, code: ManifestWarningCode): void
}

/** `shape`, and rules between its parts: `check` complains about a value that breaks them, which refuses it. */
export function checked<T>(shape: Shape<T>, check: (value: T, complain: Complain) => void): Shape<T> {
  return {
    expected: shape.expected,
    read(place) {
      const value = shape.read(place)
      if (value === refused) return refused
      let sound = true
      const complain = (
        steps: readonly (string | number)[],
        reason: string,
        code: KubeErrorCode = 'KUBE_INVALID',
      ) => {
        sound = false
        place.report.error(code, positionOf(place.tree, steps), steps.reduce(extendPath, place.path), reason)
      }
      complain.warn = (steps: readonly (string | number)[], reason: string, code: ManifestWarningCode) => {
        place.report.warning(
          code,
          positionOf(place.tree, steps),
          steps.reduce(extendPath, place.path),
          reason,
        )
      }
      check(value, complain)
      return sound ? value : refused
    },
  }
}

/** `shape`, and its value made into the form in which it is kept. */
export function mapped<T, U>(shape: Shape<T>, map: (value: T) => U): Shape<U> {
  return {
    expected: shape.expected,
    read(place) {
      const value = shape.read(place)
      return value === refused ? refused : map(value)
    },
  }
}

function scalar<T>(expected: string, accept: (value: unknown) => T | typeof refused): Shape<T> {
  return {
    expected,
    read(place) {
      const value = place.tree.kind === 'scalar' ? accept(place.tree.value) : refused
      return value === refused ? refuse(place, expected) : value
    },
  }
}

function refuse(place: Place, expected: string): typeof refused {
  const { tree, path, report } = place
  report.error('KUBE_INVALID', tree.at, path, `expected ${expected}, got ${shown(tree)}`)
  return refused
}

function shown(tree: YamlTree): string {
  if (tree.kind === 'list')
    return tree.items.length === 0 ? 'an empty list' : `a list of ${tree.items.length}`
  if (tree.kind === 'map') return 'a map'
  const { value } = tree
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'boolean') return `the boolean ${value} (a text that looks like one needs quotes)`
  return value === null ? 'nothing' : `the number ${value}`
}

function isNull(tree: YamlTree): boolean {
  return tree.kind === 'scalar' && tree.value === null
}

/** Position of what `steps` lead to, or of the innermost part of the way that is there. */
function positionOf(tree: YamlTree, steps: readonly (string | number)[]) {
  let at = tree.at
  let current: YamlTree | undefined = tree
  for (const step of steps) {
    if (current?.kind === 'map') current = current.entries.get(String(step))?.value
    else if (current?.kind === 'list') current = current.items[Number(step)]
    else current = undefined
    if (current === undefined) return at
    at = current.at
  }
  return at
}
