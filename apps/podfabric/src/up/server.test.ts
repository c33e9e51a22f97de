import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ask } from './client.ts'
import { commandServer, type Serve } from './server.ts'

async function listening(serve: Serve): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'podfabric-server-'))
  const path = join(folder, 'cluster.sock')
  const server = await commandServer(path, serve)
  onTestFinished(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })
  return path
}

const request = { words: ['get', 'pods'], folder: '/' }
const quiet = { line: () => undefined, note: () => undefined }

describe('the server of a cluster that is up', () => {
  it('outlives an asker that goes away with answers unread, and tells the command', async () => {
    const gone = Promise.withResolvers<void>()
    const path = await listening(async ({ words }, output, signal) => {
      if (words[0] === 'get') return 7
      signal.addEventListener('abort', () => gone.resolve())
      for (let i = 0; i < 10_000; i++) output.line('x'.repeat(100))
      await gone.promise
      return 0
    })
    const socket = createConnection({ path })
    socket.write(`${JSON.stringify({ words: ['trace'], folder: '/' })}\n`)
    socket.once('data', () => socket.destroy())
    await gone.promise
    expect(await ask(path, request, quiet)).toBe(7)
  })
})
