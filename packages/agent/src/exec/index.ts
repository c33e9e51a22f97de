export { bootOfMachine } from './boot.ts'
export { callAgent } from './call-agent.ts'
export { cacheVariable, defaultCacheFolder, type EvidenceOptions, nodeEvidence } from './evidence.ts'
export { execOnPath } from './exec-on-path.ts'
export { type InstallExecutableOptions, installExecutable, thinClient } from './install-executable.ts'
export { type AgentSocket, type ListenOptions, listen, type Serve } from './listen.ts'
export {
  defaultStateFolder,
  type NodeAgent,
  type NodeAgentOptions,
  nodeAgent,
  nodeVariable,
  stateVariable,
} from './node-agent.ts'
export { type ExecutablePlugin, run } from './run.ts'
export { defaultSocketPath, socketPathFrom, socketVariable } from './socket-path.ts'
export { formatTrailer, parseTrailer, type Trailer } from './trailer.ts'
export { writeWholeFile } from './whole-file.ts'
