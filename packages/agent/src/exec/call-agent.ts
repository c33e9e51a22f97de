import { createConnection } from 'node:net'
import { CniError, type ExecOutcome } from '@podfabric/cni'
import { type AgentCall, formatAgentCall, parseAgentAnswer } from '../protocol.ts'
import { socketVariable } from './socket-path.ts'

/**
 * Hands a call to the agent that listens at a Unix socket, and waits for its outcome. CNI_NOT_AVAILABLE where nobody listens:
 * nothing was applied, and the runtime may try again. CNI_DECODING_FAILURE for a call that is too long to be handed over;
 * CNI_IO_FAILURE when the agent goes away meanwhile.
 */
export async function callAgent(path: string, call: AgentCall): Promise<ExecOutcome> {
  const octets = formatAgentCall(call)
  return parseAgentAnswer(await exchange(path, octets))
}

function exchange(path: string, octets: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = []
    let connected = false
    const socket = createConnection({ path, allowHalfOpen: true })
    socket.on('connect', () => {
      connected = true
      // It stays open: its end would mean that the call is given up.
      socket.write(octets)
    })
    socket.on('data', (chunk: Uint8Array) => void pieces.push(chunk))
    socket.on('end', () => {
      socket.end()
      resolve(Buffer.concat(pieces))
    })
    socket.on('error', (cause) => reject(connected ? brokenOff(path, cause) : notThere(path, cause)))
  })
}

function notThere(path: string, cause: Error): CniError {
  return new CniError('CNI_NOT_AVAILABLE', `no agent answers at ${path}`, {
    cause,
    details: `${cause.message}; start the agent of this node, or name its socket in ${socketVariable}`,
  })
}

function brokenOff(path: string, cause: Error): CniError {
  return new CniError('CNI_IO_FAILURE', `the agent at ${path} broke off: ${cause.message}`, { cause })
}
