import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { workspaceRoot } from '../src/workspace.ts'

const pinned = join(workspaceRoot, 'node_modules', `node-linux-${process.arch}`)

/** A folder as an installed package has it: the launcher, and a built entry that tells which Node runs it. */
function installed(launcher: string, entry: string): { folder: string; run: (nodeFlags?: string[]) => Run } {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'podfabric-launcher-')))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  cpSync(dirname(join(workspaceRoot, launcher)), join(folder, 'bin'), { recursive: true })
  mkdirSync(join(folder, 'dist'))
  writeFileSync(
    join(folder, 'dist', entry),
    `console.log(JSON.stringify([process.versions.node, process.argv.slice(2)])); process.exitCode = 7\n`,
  )
  writeFileSync(
    join(folder, 'old.cjs'),
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })\n`,
  )
  const run = (nodeFlags: string[] = []) => {
    const command = join(folder, 'bin', basename(launcher))
    const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeFlags, command, 'a b', '--c'], {
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }
  return { folder, run }
}

interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

describe.each([
  ['apps/podfabric/bin/podfabric.js', 'cli.js'],
  ['packages/conformance/bin/cni-conformance.js', 'bin.js'],
])('%s', (launcher, entry) => {
  it('runs the built command on a Node that can, with its arguments and its exit code', () => {
    const { status, stdout, stderr } = installed(launcher, entry).run()
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual([process.versions.node, ['a b', '--c']])
    expect(status).toBe(7)
  })

  it('says on an older Node which one is needed', () => {
    const { folder, run } = installed(launcher, entry)
    const { status, stdout, stderr } = run(['--require', join(folder, 'old.cjs')])
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toContain('needs Node 22.18 or later, this is 20.20.2')
  })

  it.skipIf(!existsSync(pinned))('re-executes with the pinned Node where there is one', () => {
    const { folder, run } = installed(launcher, entry)
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(pinned, join(folder, 'node_modules', basename(pinned)))
    const { status, stdout } = run(['--require', join(folder, 'old.cjs')])
    expect(JSON.parse(stdout)).toEqual(['24.21.0', ['a b', '--c']])
    expect(status).toBe(7)
  })
})
