import { chmodSync, mkdirSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** Where a cluster that is up keeps its socket and its log: for one user alone. */
export interface StateFolder {
  readonly path: string
  /** Commands talk to the cluster here. */
  readonly socket: string
  readonly log: string
  /** Where a node's agent listens for plugin executables. */
  agentSocket(node: string): string
}

/** `PODFABRIC_STATE`, else `podfabric` in the user's runtime folder, else a folder of the user's in the temporary one. Made if it is not there. */
export function stateFolder(env: NodeJS.ProcessEnv): StateFolder {
  const { PODFABRIC_STATE, XDG_RUNTIME_DIR } = env
  const runtime = XDG_RUNTIME_DIR ? join(XDG_RUNTIME_DIR, 'podfabric') : undefined
  const path = PODFABRIC_STATE || runtime || join(tmpdir(), `podfabric-${userInfo().uid}`)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  chmodSync(path, 0o700)
  return {
    path,
    socket: join(path, 'cluster.sock'),
    log: join(path, 'cluster.log'),
    agentSocket: (node) => join(path, `agent-${node}.sock`),
  }
}
