import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { Failure } from '../failure.ts'

/** Where a cluster that is up keeps its sockets and its log: for one user alone. */
export interface StateFolder {
  readonly path: string
  /** Commands talk to the cluster here. */
  readonly socket: string
  readonly log: string
  /** Where a cluster on this machine's kernel binds its namespaces. */
  readonly namespaces: string
  /** Where a node's agent listens for plugin executables. */
  agentSocket(node: string): string
}

/** Longest path of a socket, in octets: the kernel's `sun_path` of 108 without its end (unix(7)). macOS has 104. */
const maxSocketPath = process.platform === 'linux' ? 107 : 103

/**
 * `PODFABRIC_STATE`, else `podfabric` in the user's runtime folder, else a folder of the user's in the temporary one. Made if it is
 * not there, closed to others if it is. Fails with the reason `usage` where no sockets can be kept, or somebody else could.
 */
export function stateFolder(env: NodeJS.ProcessEnv): StateFolder {
  const { PODFABRIC_STATE, XDG_RUNTIME_DIR } = env
  const { uid } = userInfo()
  const runtime = XDG_RUNTIME_DIR ? join(XDG_RUNTIME_DIR, 'podfabric') : undefined
  const path = PODFABRIC_STATE ? resolve(PODFABRIC_STATE) : (runtime ?? join(tmpdir(), `podfabric-${uid}`))
  const socket = socketIn(path, 'cluster.sock')
  claim(path, uid)
  return {
    path,
    socket,
    log: join(path, 'cluster.log'),
    namespaces: join(path, 'linux'),
    agentSocket: (node) => socketIn(path, `agent-${node}.sock`),
  }
}

function socketIn(folder: string, name: string): string {
  const path = join(folder, name)
  if (Buffer.byteLength(path) <= maxSocketPath) return path
  throw new Failure(
    'usage',
    `${path}: too long for a socket, at most ${maxSocketPath} octets; set PODFABRIC_STATE to a shorter folder`,
  )
}

/** Its parents too. (Where a file system takes no folders, as /proc, Node's own `recursive` never returns.) */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    makeFolder(dirname(path))
    mkdirSync(path, { mode: 0o700 })
  }
}

function claim(path: string, uid: number): void {
  const refuse = (why: string, cause?: unknown) =>
    new Failure('usage', `${path}: ${why}; set PODFABRIC_STATE to a folder of your own`, { cause })
  try {
    makeFolder(path)
  } catch (cause) {
    throw refuse(cause instanceof Error ? cause.message : String(cause), cause)
  }
  const found = lstatSync(path)
  // In a temporary folder anybody could have made it, or a link to elsewhere.
  if (!found.isDirectory()) throw refuse('is not a folder')
  if (uid !== -1 && found.uid !== uid) throw refuse('belongs to somebody else')
  if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700)
}
