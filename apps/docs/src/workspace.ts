import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeBlocks } from './code-blocks.ts'

export interface SourceFile {
  /** From the package's folder, with `/`. A Markdown file's stands for one of its code blocks, at the lines it has there. */
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

/** Every package and app of the workspace with its TypeScript files and the `ts` blocks of its documents. */
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
          files: filesOf(folder, group === 'apps' && name === 'docs' ? root : folder),
        }
      }),
  )
}

/** The documents of the whole repository belong to the documentation. */
function filesOf(folder: string, ...documentFolders: readonly string[]): SourceFile[] {
  const sources = globSync('{src,test,bench}/**/*.ts', { cwd: folder })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }))
  const documents = [...new Set([folder, ...documentFolders])].flatMap((place) =>
    globSync('*.md', { cwd: place })
      .sort()
      .flatMap((path) =>
        codeBlocks(readFileSync(join(place, path), 'utf8'), 'ts').map(({ line, text }) => ({
          path,
          text: '\n'.repeat(line) + text,
        })),
      ),
  )
  return [...sources, ...documents]
}
