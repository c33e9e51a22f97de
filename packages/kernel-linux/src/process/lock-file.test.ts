import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { linuxAvailable } from '../availability.ts'
import { lockFile } from './index.ts'

const available = linuxAvailable()
const why = available.available ? '' : ` (skipped: ${available.reason})`

function path(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pf-lock-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'locks')
}

describe.skipIf(!available.available)(`a lock file${why}`, () => {
  it('keeps one place from others, and other places not', () => {
    const file = path()
    const [one, other] = [lockFile(file), lockFile(file)]
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const last = Number.MAX_SAFE_INTEGER
    expect(one.tryLock(last, 'exclusive')).toBe(true)
    expect(other.tryLock(last, 'exclusive')).toBe(false)
    expect(other.tryLock(last, 'shared')).toBe(false)
    expect(other.tryLock(last - 1, 'exclusive')).toBe(true)
    one.unlock(last)
    expect(other.tryLock(last, 'shared')).toBe(true)
    expect(one.tryLock(last, 'shared')).toBe(true)
    expect(one.tryLock(last, 'exclusive')).toBe(false)
    one[Symbol.dispose]()
    expect(other.tryLock(last, 'exclusive')).toBe(true)
    other[Symbol.dispose]()
  })

  it('is let go of by a process that is killed', async () => {
    const file = path()
    const source = fileURLToPath(new URL('./index.ts', import.meta.url))
    const program = `import { lockFile } from ${JSON.stringify(source)}
      console.log(lockFile(${JSON.stringify(file)}).tryLock(7, 'exclusive')); setInterval(() => {}, 1000)`
    const flags = ['--conditions=@podfabric/source', '--input-type=module', '-e', program]
    const holder = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [said] = await once(holder.stdout, 'data')
    expect(String(said).trim()).toBe('true')
    const own = lockFile(file)
    expect(own.tryLock(7, 'exclusive')).toBe(false)
    holder.kill('SIGKILL')
    await once(holder, 'close')
    expect(own.tryLock(7, 'exclusive')).toBe(true)
    own[Symbol.dispose]()
  })
})
