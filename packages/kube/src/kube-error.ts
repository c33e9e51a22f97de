/** Where in a manifest something stands. Lines and columns count from 1; `path` is empty for a whole document. */
export interface Source {
  readonly file: string
  readonly line: number
  readonly column: number
}

/**
 * `KUBE_YAML`: not readable as YAML or JSON (syntax, a duplicate key, a tab as indentation).
 * `KUBE_LIMIT`: nested deeper, larger, or expanding to more through aliases than a manifest may be.
 * `KUBE_INVALID`: a field's value is not what Kubernetes takes. `KUBE_MISSING`: a field that must be there is not.
 * `KUBE_MISSPELT`: a field or kind that does not exist, one typing error away from one that does.
 */
export type KubeErrorCode = 'KUBE_YAML' | 'KUBE_LIMIT' | 'KUBE_INVALID' | 'KUBE_MISSING' | 'KUBE_MISSPELT'

/** One mistake in a manifest. The message reads `FILE:LINE:COLUMN: PATH: what was expected, and what was there`. */
export class KubeError extends Error {
  override readonly name = 'KubeError'
  readonly code: KubeErrorCode
  readonly source: Source
  readonly path: string

  constructor(code: KubeErrorCode, source: Source, path: string, reason: string, options?: ErrorOptions) {
    super(located(source, path, reason), options)
    this.code = code
    this.source = source
    this.path = path
  }
}

/**
 * `KUBE_UNKNOWN_FIELD`: Kubernetes has no such field. `KUBE_UNSUPPORTED_FIELD`: it has, Podfabric does nothing with it
 * although it would change the network. `KUBE_UNSUPPORTED_KIND`: an object that was left out.
 * `KUBE_DUPLICATE_OBJECT`: the same object once more; both are kept, in order. `KUBE_PORT_CONFLICT`: two containers of
 * one pod claim the same port of their shared localhost. `KUBE_YAML_WARNING`: the YAML reader's own doubts.
 */
export type ManifestWarningCode =
  | 'KUBE_UNKNOWN_FIELD'
  | 'KUBE_UNSUPPORTED_FIELD'
  | 'KUBE_UNSUPPORTED_KIND'
  | 'KUBE_DUPLICATE_OBJECT'
  | 'KUBE_PORT_CONFLICT'
  | 'KUBE_YAML_WARNING'

/** Something in a manifest that was accepted but does not do what its author may believe. */
export interface ManifestWarning {
  readonly code: ManifestWarningCode
  readonly source: Source
  readonly path: string
  /** As a KubeError's: with file, line, column and path in front. */
  readonly message: string
}

export function located(source: Source, path: string, reason: string): string {
  const place = `${source.file}:${source.line}:${source.column}`
  return path === '' ? `${place}: ${reason}` : `${place}: ${path}: ${reason}`
}
