export { callAgent } from './call-agent.ts'
export { type AgentSocket, type ListenOptions, listen } from './listen.ts'
export { type ExecutablePlugin, run } from './run.ts'
export { defaultSocketPath, socketPathFrom, socketVariable } from './socket-path.ts'
