import {
  type AttachmentId,
  isJsonObject,
  type Log,
  type PluginConfig,
  parseJson,
  parsePluginConfig,
} from '@podfabric/cni'
import type { Collection } from '@podfabric/store'
import { bridgeVersions } from './bridge-config.ts'
import { delegateName } from './delegate-record.ts'
import type { NodeFiles } from './node-files.ts'

/**
 * The configurations that attachments were made with, kept until their DEL: what is configured may have changed since, and DEL must
 * undo what ADD did.
 */
export interface SavedConfigs {
  /** Undefined where there is none; `damaged` where there is a file that holds none, which is logged. */
  get(attachment: AttachmentId): Promise<PluginConfig | 'damaged' | undefined>
  put(attachment: AttachmentId, config: PluginConfig): Promise<void>
  delete(attachment: AttachmentId): Promise<void>
  /** One of those that there are. */
  any(): Promise<PluginConfig | undefined>
  /** Forgets all others. */
  retain(valid: readonly AttachmentId[]): Promise<void>
}

export function savedInStore(records: Collection<PluginConfig>): SavedConfigs {
  return {
    get: async (attachment) => (await records.get(delegateName(attachment)))?.value,
    put: async (attachment, config) => void (await records.put(delegateName(attachment), config)),
    delete: async (attachment) => void (await records.delete(delegateName(attachment))),
    any: async () => (await records.list()).items[0]?.value,
    async retain(valid) {
      const names = new Set(valid.map(delegateName))
      for (const { name } of (await records.list()).items) if (!names.has(name)) await records.delete(name)
    },
  }
}

export interface SavedInFilesOptions {
  readonly files: NodeFiles
  /** The folder, which networks share. */
  readonly dataDir: string
  /** The network's name. */
  readonly network: string
  readonly log: Log
}

/**
 * The store's, and beside them the files of Flannel's own plugin: one for each container, named by its id, holding the delegate's
 * configuration. So each of the two can undo what the other did. A file of another network's is neither read nor touched.
 */
export function savedInFiles(stored: SavedConfigs, options: SavedInFilesOptions): SavedConfigs {
  const { files, dataDir, network, log } = options
  const pathOf = (containerId: string) => `${dataDir}/${containerId}`

  async function read(containerId: string): Promise<PluginConfig | 'damaged' | undefined> {
    const path = pathOf(containerId)
    const text = await files.read(path)
    if (text === undefined) return undefined
    try {
      const value = parseJson(text, { what: path })
      if (!isJsonObject(value)) throw new TypeError('expected an object')
      const config = parsePluginConfig(value, { versions: bridgeVersions })
      return config.name === network ? config : undefined
    } catch (error) {
      log.warn(`${path} is no configuration of a plugin; it is left alone`, { error })
      return 'damaged'
    }
  }

  const containers = async () => ((await files.list(dataDir)) ?? []).filter((name) => !name.startsWith('.'))

  async function remove(containerId: string): Promise<void> {
    const found = await read(containerId)
    if (found !== undefined && found !== 'damaged') await files.remove(pathOf(containerId))
  }

  return {
    get: async (attachment) => (await stored.get(attachment)) ?? read(attachment.containerId),
    async put(attachment, config) {
      await stored.put(attachment, config)
      await files.write(pathOf(attachment.containerId), JSON.stringify(config))
    },
    async delete(attachment) {
      await remove(attachment.containerId)
      await stored.delete(attachment)
    },
    async any() {
      const own = await stored.any()
      if (own !== undefined) return own
      for (const name of await containers()) {
        const found = await read(name)
        if (found !== undefined && found !== 'damaged') return found
      }
      return undefined
    },
    async retain(valid) {
      const alive = new Set(valid.map(({ containerId }) => containerId))
      for (const name of await containers()) if (!alive.has(name)) await remove(name)
      await stored.retain(valid)
    },
  }
}
