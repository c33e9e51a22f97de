import type { KubeError, ManifestWarning, Source } from '../kube-error.ts'
import { type Kind, type KubeObject, objectKey } from '../object.ts'
import { deployment } from './deployment-shape.ts'
import { endpointSlice } from './endpoint-slice-shape.ts'
import { namespaceObject, node } from './node-shape.ts'
import { pod } from './pod-shape.ts'
import { replicaSet } from './replica-set-shape.ts'
import { extendPath, type Place, type Report, report } from './report.ts'
import { service } from './service-shape.ts'
import { refused, type Shape } from './shape.ts'
import { similar } from './similar.ts'
import { statefulSet } from './stateful-set-shape.ts'
import { readYaml, type YamlTree } from './yaml-tree.ts'

/** An object and where its manifest begins. */
export interface ManifestObject {
  readonly object: KubeObject
  readonly source: Source
}

export interface Manifests {
  /** Every object without a mistake, in the order in which they are written. Apply none of them if there are errors. */
  readonly objects: readonly ManifestObject[]
  /** What was accepted and does nothing, or may not do what its author believes. */
  readonly warnings: readonly ManifestWarning[]
  /** All mistakes, in the order in which they stand. */
  readonly errors: readonly KubeError[]
}

export interface ReadOptions {
  /** Named in every message. */
  readonly file: string
  /** Of objects whose manifest names none. Default: `default`. */
  readonly namespace?: string
}

/**
 * Reads a file of Kubernetes manifests: YAML or JSON, any number of documents, `List`s expanded. Defaults are filled in as
 * the API server would; `status` is read past, as `kubectl apply` does. Never throws: every mistake is in `errors`.
 *
 * Fields without an effect on the network (images' commands, volumes, CPU and memory) are accepted in silence. Kinds and
 * fields that would have one and are not implemented are left out with a warning that names them.
 */
export function readManifests(text: string, options: ReadOptions): Manifests {
  const { file, namespace = 'default' } = options
  const findings = report(file)
  const { documents, problems } = readYaml(text)
  for (const { severity, at, reason } of problems) {
    if (severity === 'warning') findings.warning('KUBE_YAML_WARNING', at, '', reason)
    else findings.error(severity === 'limit' ? 'KUBE_LIMIT' : 'KUBE_YAML', at, '', reason)
  }
  const shapes = shapesIn(namespace)
  const objects = documents.flatMap((tree) =>
    readDocument({ tree, path: '', report: findings }, file, shapes),
  )
  warnAboutRepeats(objects, findings)
  const byPosition = (a: { source: Source }, b: { source: Source }) =>
    a.source.line - b.source.line || a.source.column - b.source.column
  return {
    objects,
    warnings: findings.warnings.toSorted(byPosition),
    errors: findings.errors.toSorted(byPosition),
  }
}

type Shapes = ReadonlyMap<Kind, { readonly apiVersion: string; readonly shape: Shape<KubeObject> }>

function shapesIn(namespace: string): Shapes {
  return new Map<Kind, { apiVersion: string; shape: Shape<KubeObject> }>([
    ['Namespace', { apiVersion: 'v1', shape: namespaceObject }],
    ['Node', { apiVersion: 'v1', shape: node }],
    ['Pod', { apiVersion: 'v1', shape: pod(namespace) }],
    ['Service', { apiVersion: 'v1', shape: service(namespace) }],
    ['Deployment', { apiVersion: 'apps/v1', shape: deployment(namespace) }],
    ['ReplicaSet', { apiVersion: 'apps/v1', shape: replicaSet(namespace) }],
    ['StatefulSet', { apiVersion: 'apps/v1', shape: statefulSet(namespace) }],
    ['EndpointSlice', { apiVersion: 'discovery.k8s.io/v1', shape: endpointSlice(namespace) }],
  ])
}

function readDocument(place: Place, file: string, shapes: Shapes): readonly ManifestObject[] {
  const { tree, report } = place
  if (tree.kind !== 'map') {
    report.error(
      'KUBE_INVALID',
      tree.at,
      place.path,
      'expected a Kubernetes object: a map with apiVersion and kind',
    )
    return []
  }
  const apiVersion = header(place, 'apiVersion')
  const kind = header(place, 'kind')
  if (apiVersion === undefined || kind === undefined) return []
  if (kind === 'List' || (kind.endsWith('List') && shapes.has(kind.slice(0, -4) as Kind))) {
    return readList(place, file, shapes)
  }
  const known = isForeign(apiVersion) ? undefined : shapes.get(kind as Kind)
  if (!known) {
    refuseKind(place, kind, apiVersion, shapes)
    return []
  }
  if (known.apiVersion !== apiVersion) {
    const at = tree.entries.get('apiVersion')?.value.at ?? tree.at
    const reason = `expected ${known.apiVersion} for a ${kind}, got ${apiVersion}`
    report.error('KUBE_INVALID', at, extendPath(place.path, 'apiVersion'), reason)
    return []
  }
  const object = known.shape.read(place)
  return object === refused ? [] : [{ object, source: { file, ...tree.at } }]
}

function readList(place: Place, file: string, shapes: Shapes): readonly ManifestObject[] {
  const { tree, report } = place
  const path = extendPath(place.path, 'items')
  const items = tree.kind === 'map' ? tree.entries.get('items')?.value : undefined
  if (items?.kind !== 'list') {
    report.error('KUBE_INVALID', items?.at ?? tree.at, path, 'expected a list of objects')
    return []
  }
  return items.items.flatMap((item, index) =>
    readDocument({ tree: item, path: extendPath(path, index), report }, file, shapes),
  )
}

function header({ tree, path, report }: Place, name: 'apiVersion' | 'kind'): string | undefined {
  const value: YamlTree | undefined = tree.kind === 'map' ? tree.entries.get(name)?.value : undefined
  if (value?.kind === 'scalar' && typeof value.value === 'string' && value.value !== '') return value.value
  const example = name === 'kind' ? 'Pod' : 'v1 or apps/v1'
  const code = value === undefined ? 'KUBE_MISSING' : 'KUBE_INVALID'
  const reason = `${value === undefined ? 'missing; expected' : 'expected'} a string such as ${example}`
  report.error(code, value?.at ?? tree.at, extendPath(path, name), reason)
  return undefined
}

function refuseKind({ tree, path, report }: Place, kind: string, apiVersion: string, shapes: Shapes): void {
  const at = (tree.kind === 'map' ? tree.entries.get('kind')?.value.at : undefined) ?? tree.at
  const meant = isForeign(apiVersion) ? undefined : similar(kind, shapes.keys())
  if (meant === undefined) {
    const reason = `${kind} (${apiVersion}) is not implemented; the object was left out`
    report.warning('KUBE_UNSUPPORTED_KIND', at, extendPath(path, 'kind'), reason)
  } else {
    report.error(
      'KUBE_MISSPELT',
      at,
      extendPath(path, 'kind'),
      `unknown kind ${kind}; did you mean ${meant}?`,
    )
  }
}

/** Whether the group is not one of Kubernetes' own, so that `Service` there is another thing altogether. */
function isForeign(apiVersion: string): boolean {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  return group.includes('.') && !group.endsWith('.k8s.io')
}

function warnAboutRepeats(objects: readonly ManifestObject[], report: Report): void {
  const seen = new Map<string, Source>()
  for (const { object, source } of objects) {
    const key = objectKey(object)
    const earlier = seen.get(key)
    if (earlier) {
      const reason = `${key} is already in line ${earlier.line}; when applied in order, this one replaces it`
      report.warning('KUBE_DUPLICATE_OBJECT', source, '', reason)
    }
    seen.set(key, source)
  }
}
