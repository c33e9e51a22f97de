import {
  type AttachmentId,
  isJsonObject,
  type PluginConfig,
  parseJson,
  parsePluginConfig,
} from '@podfabric/cni'
import { type Collection, collection, type Store } from '@podfabric/store'
import { bridgeVersions } from './bridge-config.ts'

/**
 * The configuration that an attachment was made with, kept until its DEL: it may have changed since, and DEL must undo what ADD
 * did.
 */
export function delegateRecords(store: Store, node: string): Collection<PluginConfig> {
  return collection<PluginConfig>(store, `delegates/${node}/`, {
    parse(text) {
      const value = parseJson(text, { what: 'the delegate’s configuration' })
      if (!isJsonObject(value)) throw new TypeError('expected an object')
      return parsePluginConfig(value, { versions: bridgeVersions })
    },
    format: (config) => JSON.stringify(config),
  })
}

export function delegateName({ containerId, ifName }: AttachmentId): string {
  return `${containerId}/${encodeURIComponent(ifName)}`
}
