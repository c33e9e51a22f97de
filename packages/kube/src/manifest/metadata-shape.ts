import { isDnsLabel, isDnsSubdomain, isLabelKey, isLabelValue } from '../names.ts'
import type { Labels, NamespacedMeta, ObjectMeta, OwnerReference, TemplateMeta } from '../object-meta.ts'
import {
  boolean,
  type Fields,
  fallback,
  integer,
  list,
  object,
  optional,
  record,
  required,
  type Shape,
  text,
} from './shape.ts'

export const dnsLabel = text('1 to 63 of a-z, 0-9 and "-", with a letter or digit at both ends', isDnsLabel)
export const dnsSubdomain = text(
  'a name of a-z, 0-9, "-" and ".", at most 253 long, with a letter or digit at both ends of each part',
  isDnsSubdomain,
)

const labelKey = text('a label key such as app or example.com/app', isLabelKey)
const labelValue = text('a label value: at most 63 letters, digits, "-", "_" and "."', isLabelValue)

export const labels: Shape<Labels> = record(labelKey, labelValue)
const annotations: Shape<Labels> = record(labelKey, text())

const ownerReference = object<OwnerReference>(
  {
    apiVersion: required(text()),
    kind: required(text()),
    name: required(text()),
    uid: required(text()),
    controller: fallback(false, boolean),
  },
  { ignored: ['blockOwnerDeletion'] },
)

const written = ['managedFields', 'selfLink', 'finalizers', 'deletionGracePeriodSeconds']

function objectMetaFields(name: Shape<string>): Fields<ObjectMeta> {
  return {
    name: required(name),
    labels: fallback({}, labels),
    annotations: fallback({}, annotations),
    ownerReferences: fallback([], list(ownerReference)),
    uid: optional(text()),
    generation: optional(integer(0, Number.MAX_SAFE_INTEGER)),
    resourceVersion: optional(text()),
    creationTimestamp: optional(text()),
    deletionTimestamp: optional(text()),
  }
}

/** Metadata of an object whose name reads as `name`. */
export function objectMeta(name: Shape<string>): Shape<ObjectMeta> {
  return object<ObjectMeta>(objectMetaFields(name), { ignored: written })
}

/** The same with a namespace, `namespace` where the manifest names none. */
export function namespacedMeta(name: Shape<string>, namespace: string): Shape<NamespacedMeta> {
  return object<NamespacedMeta>(
    { ...objectMetaFields(name), namespace: fallback(namespace, dnsLabel) },
    { ignored: written },
  )
}

export const templateMeta: Shape<TemplateMeta> = object<TemplateMeta>(
  { labels: fallback({}, labels), annotations: fallback({}, annotations) },
  { ignored: ['name', 'namespace', 'creationTimestamp', ...written] },
)
