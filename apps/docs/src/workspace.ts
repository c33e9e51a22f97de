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
          files: globSync('{{src,test,bench}/**/*.ts,*.md}', { cwd: folder })
            .map((path) => path.replaceAll('\\', '/'))
            .sort()
            .flatMap((path) => filesIn(path, readFileSync(join(folder, path), 'utf8'))),
        }
      }),
  )
}

function filesIn(path: string, text: string): SourceFile[] {
  if (!path.endsWith('.md')) return [{ path, text }]
  return codeBlocks(text, 'ts').map((block) => ({ path, text: '\n'.repeat(block.line) + block.text }))
}
