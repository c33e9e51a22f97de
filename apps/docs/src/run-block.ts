import { spawn } from 'node:child_process'

export interface BlockOutcome {
  /** 0 when it ran to its end; -1 when a signal or the deadline ended it. */
  readonly code: number
  readonly output: string
}

/** Runs a block as a TypeScript module of its own, as if it were a file in `folder`, on the workspace's sources. */
export function runBlock(text: string, folder: string, deadline = 30_000): Promise<BlockOutcome> {
  const flags = ['--conditions=@podfabric/source', '--disable-warning=ExperimentalWarning']
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...flags, '--input-type=module-typescript', '-'], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: deadline,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, output }))
    child.stdin.end(text)
  })
}
