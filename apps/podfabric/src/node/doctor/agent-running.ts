import { type Check, error, ok, warning } from './check.ts'

export const agentRunning: Check = {
  id: 'agent-running',
  title: 'the agent answers',
  run({ agent, networks }) {
    if (agent.listening) return [ok(`it listens at ${agent.socket}`)]
    const found = `nobody listens at ${agent.socket}`
    const fix = 'start podfabric agent'
    return [
      networks.some(({ type }) => type === 'flannel')
        ? error(`${found}: no other node is reached or learned of`, fix)
        : warning(`${found}: every call starts Node, which is slow`, fix),
    ]
  },
}
