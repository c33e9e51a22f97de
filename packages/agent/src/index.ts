export { type Agent, type AgentOptions, agent, type NetworkStatus } from './agent.ts'
export {
  type AgentCall,
  failedOutcome,
  formatAgentAnswer,
  formatAgentCall,
  handedOver,
  maxCallLength,
  parseAgentAnswer,
  parseAgentCall,
} from './protocol.ts'
