import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { workspaceRoot } from './workspace.ts'

export interface BlockOutcome {
  /** 0 when it ran to its end; -1 when a signal or the deadline ended it. */
  readonly code: number
  readonly output: string
}

/** Runs a block as a TypeScript module of its own, as if it were a file in `folder`, on the workspace's sources. */
export function runBlock(text: string, folder: string, deadline = 30_000): Promise<BlockOutcome> {
  const flags = ['--conditions=@podfabric/source', '--disable-warning=ExperimentalWarning']
  return runNode([...flags, '--input-type=module-typescript', '-'], folder, deadline, text)
}

/** Checks the types of blocks as if they were files in `folder`, on the workspace's sources; errors name `block-1.ts` and so on. */
export async function checkBlocks(texts: readonly string[], folder: string): Promise<BlockOutcome> {
  const modules = join(folder, 'node_modules')
  mkdirSync(modules, { recursive: true })
  const place = mkdtempSync(join(modules, '.blocks-'))
  try {
    const files = texts.map((_text, index) => `block-${index + 1}.ts`)
    for (const [index, file] of files.entries()) writeFileSync(join(place, file), texts[index] ?? '')
    const config = {
      extends: join(workspaceRoot, 'tsconfig.base.json'),
      compilerOptions: { noEmit: true, customConditions: ['@podfabric/source'] },
      files,
    }
    writeFileSync(join(place, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(workspaceRoot, 'node_modules/typescript/bin/tsc')
    return await runNode([tsc, '--pretty', 'false', '-p', place], place, 50_000)
  } finally {
    rmSync(place, { recursive: true })
  }
}

function runNode(args: readonly string[], cwd: string, timeout: number, input = ''): Promise<BlockOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['pipe', 'pipe', 'pipe'], timeout })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, output }))
    child.stdin.end(input)
  })
}
