import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface SourceFile {
  /** From the package's folder, with `/`. */
  readonly path: string
  readonly text: string
}

export interface WorkspacePackage {
  /** As the table of packages has it: `netaddr`, `apps/docs`. */
  readonly name: string
  readonly folder: string
  readonly manifest: Manifest
  readonly files: readonly SourceFile[]
}

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports?: Record<string, string | Record<string, string>>
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
}

export const workspaceRoot = join(dirname(fileURLToPath(import.meta.url)), '../../..')

/** Every package and app of the workspace with its TypeScript files. */
export function readWorkspace(root: string = workspaceRoot): WorkspacePackage[] {
  return ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(root, group))
      .sort()
      .filter((name) => existsSync(join(root, group, name, 'package.json')))
      .map((name) => {
        const folder = join(root, group, name)
        return {
          name: group === 'apps' ? `apps/${name}` : name,
          folder,
          manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest,
          files: globSync('{src,test,bench}/**/*.ts', { cwd: folder })
            .map((path) => ({
              path: path.replaceAll('\\', '/'),
              text: readFileSync(join(folder, path), 'utf8'),
            }))
            .sort((a, b) => (a.path < b.path ? -1 : 1)),
        }
      }),
  )
}
