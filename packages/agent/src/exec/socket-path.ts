/** Where an agent of this machine listens unless it is told otherwise. */
export const defaultSocketPath = '/run/podfabric/agent.sock'

/** The variable by which a runtime's environment names another. */
export const socketVariable = 'PODFABRIC_AGENT'

/** The socket of the agent that a plugin executable calls. */
export function socketPathFrom(env: Readonly<Record<string, string | undefined>>): string {
  return env[socketVariable] || defaultSocketPath
}
