import {
  isCniVersion,
  isJsonObject,
  type Json,
  type JsonObject,
  newestCniVersion,
  parseJson,
} from '@podfabric/cni'
import { ConformanceError } from './failure.ts'
import type { SubjectList } from './subject.ts'

/**
 * A subject's configuration: a list, or one plugin's, which becomes a list of one. Checked only as far as the suite needs it;
 * whether the rest makes sense is the plugin's to say. Throws CONFORMANCE_BAD_INPUT.
 */
export function parseSubjectList(config: Json | string, what = 'the configuration'): SubjectList {
  const value = typeof config === 'string' ? decode(config, what) : config
  if (!isJsonObject(value)) throw bad(what, 'expected an object')
  const { name, cniVersion = newestCniVersion, plugins } = value
  if (typeof name !== 'string' || name === '') throw bad(what, 'name: expected the name of a network')
  if (!isCniVersion(cniVersion))
    throw bad(what, `cniVersion: ${JSON.stringify(cniVersion)} is no released version`)
  if (plugins === undefined) return { name, cniVersion, plugins: [withType(value, `${what}: type`)] }
  if (!Array.isArray(plugins) || plugins.length === 0)
    throw bad(what, 'plugins: expected a list of one plugin or more')
  return {
    name,
    cniVersion,
    plugins: plugins.map((plugin: Json, index) => withType(plugin, `${what}: plugins[${index}].type`)),
  }
}

function withType(plugin: Json, at: string): JsonObject & { readonly type: string } {
  if (!isJsonObject(plugin) || typeof plugin.type !== 'string' || plugin.type === '') {
    throw new ConformanceError('CONFORMANCE_BAD_INPUT', `${at}: expected the name of a plugin`)
  }
  return { ...plugin, type: plugin.type }
}

function decode(text: string, what: string): Json {
  try {
    return parseJson(text, { what })
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new ConformanceError('CONFORMANCE_BAD_INPUT', message, { cause })
  }
}

function bad(what: string, reason: string): ConformanceError {
  return new ConformanceError('CONFORMANCE_BAD_INPUT', `${what}: ${reason}`)
}
