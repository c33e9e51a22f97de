import { createConnection } from 'node:net'
import { CniError, type ExecOutcome } from '@podfabric/cni'
import { type AgentCall, formatAgentCall, parseAgentAnswer } from '../protocol.ts'
import { socketVariable } from './socket-path.ts'

/**
 * Hands a call to the agent that listens at a Unix socket, and waits for its outcome. CNI_NOT_AVAILABLE where nobody listens:
 * nothing was applied, and the runtime may try again.
 */
export function callAgent(path: string, call: AgentCall): Promise<ExecOutcome> {
  return new Promise((resolve, reject) => {
    let answer = ''
    let connected = false
    const socket = createConnection({ path, allowHalfOpen: true })
    socket.setEncoding('utf8')
    socket.on('connect', () => {
      connected = true
      socket.end(formatAgentCall(call))
    })
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.on('end', () => {
      try {
        resolve(parseAgentAnswer(answer))
      } catch (error) {
        reject(error)
      }
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
