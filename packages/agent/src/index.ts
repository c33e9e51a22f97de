export { type Agent, type AgentOptions, agent, type NetworkStatus } from './agent.ts'
export {
  type AgentCall,
  agentCallLength,
  failedOutcome,
  formatAgentAnswer,
  formatAgentCall,
  handedOver,
  handedOverFrom,
  maxCallLength,
  parseAgentAnswer,
  parseAgentCall,
} from './protocol.ts'
export {
  type SysctlFate,
  type SysctlJournalOptions,
  type SysctlRecord,
  type SysctlRecords,
  type SysctlSite,
  sysctlFate,
  sysctlJournal,
  sysctlPrefix,
  sysctlRecords,
} from './sysctl-journal.ts'
