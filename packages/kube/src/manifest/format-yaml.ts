import { stringify } from 'yaml'
import type { KubeObject } from '../object.ts'

/**
 * The objects as YAML documents, one after the other, that `readManifests` reads back to the same objects (but for
 * `status`). Values are written in full: an object used twice is written twice, without anchors.
 */
export function formatYaml(objects: readonly KubeObject[]): string {
  const options = { aliasDuplicateObjects: false, lineWidth: 0, version: '1.1', compat: 'core' } as const
  return objects.map((object) => stringify(object, options)).join('---\n')
}
