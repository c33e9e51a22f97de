import {
  KubeError,
  type KubeErrorCode,
  located,
  type ManifestWarning,
  type ManifestWarningCode,
} from '../kube-error.ts'
import type { Position, YamlTree } from './yaml-tree.ts'

/** Collects what is wrong in one file. Reading goes on after a mistake, so that one run shows all of them. */
export interface Report {
  readonly errors: readonly KubeError[]
  readonly warnings: readonly ManifestWarning[]
  error(code: KubeErrorCode, at: Position, path: string, reason: string): void
  warning(code: ManifestWarningCode, at: Position, path: string, reason: string): void
}

export function report(file: string): Report {
  const errors: KubeError[] = []
  const warnings: ManifestWarning[] = []
  return {
    errors,
    warnings,
    error(code, at, path, reason) {
      errors.push(new KubeError(code, { file, ...at }, path, reason))
    },
    warning(code, at, path, reason) {
      const source = { file, ...at }
      warnings.push({ code, source, path, message: located(source, path, reason) })
    },
  }
}

/** A value that is being read: where it stands, what led to it, and where to complain. */
export interface Place {
  readonly tree: YamlTree
  readonly path: string
  readonly report: Report
}

/** `spec` and `containers` give `spec.containers`; then 0 gives `spec.containers[0]`; a key with dots is put in quotes. */
export function extendPath(path: string, step: string | number): string {
  if (typeof step === 'number') return `${path}[${step}]`
  if (!/^[\w-]+$/.test(step)) return `${path}[${JSON.stringify(step)}]`
  return path === '' ? step : `${path}.${step}`
}
