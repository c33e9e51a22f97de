import type { NodeFiles } from './node-files.ts'

/** Files that are kept in memory. */
export interface KeptFiles extends NodeFiles {
  readonly texts: Map<string, string>
}

export function keptFiles(given: Readonly<Record<string, string>> = {}): KeptFiles {
  const texts = new Map(Object.entries(given))
  return {
    texts,
    read: async (path) => texts.get(path),
    async list(folder) {
      const names = [...texts.keys()].flatMap((path) => {
        const [parent, name] = [path.slice(0, path.lastIndexOf('/')), path.slice(path.lastIndexOf('/') + 1)]
        return parent === folder ? [name] : []
      })
      return names.length === 0 ? undefined : names
    },
    write: async (path, text) => void texts.set(path, text),
    remove: async (path) => void texts.delete(path),
  }
}
