import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface Document {
  /** From the root of the workspace, with `/`. */
  readonly path: string
  readonly text: string
}

/** Every Markdown file that people read, in byte order of their paths. */
export function readDocuments(root: string): Document[] {
  return globSync(['*.md', 'packages/*/*.md', 'apps/*/*.md', 'apps/docs/decisions/*.md'], { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** Links within the workspace that lead nowhere: `path: target`. Links to other places are not followed. */
export function brokenLinks(root: string, { path, text }: Document): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z]+:|^#/.test(target))
    .filter((target) => !existsSync(join(root, dirname(path), target.replace(/#.*/, ''))))
    .map((target) => `${path}: ${target}`)
}

/** Headings in order, with their marks: `## Use`. */
export function headings(text: string): string[] {
  return prose(text)
    .split('\n')
    .filter((line) => /^#+ /.test(line))
}

/** The words of every line that runs a command in a block of shell, up to where its output goes: `npx podfabric ping --all` gives `ping`, `--all`. */
export function commandLines(text: string, command: string): string[][] {
  const shell = [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap((match) => (match[1] ?? '').split('\n'))
  return shell.flatMap((line) => {
    const words = line
      .replace(/\s+[#>|].*/, '')
      .trim()
      .split(/\s+/)
    const at = words.findIndex((word) => word !== 'sudo' && word !== 'npx')
    return words[at] === command ? [words.slice(at + 1)] : []
  })
}

function prose(text: string): string {
  return text.replaceAll(/^(```+)[\s\S]*?^\1$/gm, '')
}
