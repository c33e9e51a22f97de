// Runs every benchmark of the workspace, or those whose path contains one of the arguments, one after the other: they
// share the machine with nothing else of ours. Each prints our figure beside the reference measured in the same run.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { workspaceRoot } from '../src/workspace.ts'

const wanted = process.argv.slice(2)
const files = globSync('{packages,apps}/*/bench/*.bench.ts', { cwd: workspaceRoot })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
if (files.length === 0) {
  console.error(`no benchmark ${wanted.length === 0 ? 'yet' : `matches ${wanted.join(', ')}`}`)
  process.exitCode = 1
}
for (const file of files) {
  console.log(`\n${file}`)
  const { status } = spawnSync(process.execPath, ['--expose-gc', '--conditions=@podfabric/source', file], {
    cwd: workspaceRoot,
    stdio: 'inherit',
  })
  if (status !== 0) {
    console.error(`${file}: failed with exit code ${status}`)
    process.exitCode = 1
  }
}
