import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
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

/** The server's ends of connections, as they come. */
function serverSockets(): Socket[] {
  const sockets: Socket[] = []
  const keep = (message: unknown) => void sockets.push((message as { socket: Socket }).socket)
  subscribe('net.server.socket', keep)
  onTestFinished(() => void unsubscribe('net.server.socket', keep))
  return sockets
}

const quiet = { line: () => undefined, note: () => undefined }

describe('the server of a cluster that is up', () => {
  it('outlives a connection that is reset while a command runs, and tells the command', async () => {
    const sockets = serverSockets()
    const gone = Promise.withResolvers<void>()
    const path = await listening(async ({ words }, _output, signal) => {
      if (words[0] === 'get') return 7
      signal.addEventListener('abort', () => gone.resolve())
      // As `podfabric trace … | head` brings it about: the asker ends and leaves answers unread.
      sockets[0]?.destroy(new Error('read ECONNRESET'))
      await gone.promise
      return 0
    })
    await expect(ask(path, { words: ['trace'], folder: '/' }, quiet)).rejects.toThrow('went away')
    await gone.promise
    expect(await ask(path, { words: ['get'], folder: '/' }, quiet)).toBe(7)
  })
})
