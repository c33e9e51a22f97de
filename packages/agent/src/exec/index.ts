export { callAgent } from './call-agent.ts'
export { type AgentSocket, type ListenOptions, listen, type Serve } from './listen.ts'
export { type ExecutablePlugin, run } from './run.ts'
export { defaultSocketPath, socketPathFrom, socketVariable } from './socket-path.ts'
