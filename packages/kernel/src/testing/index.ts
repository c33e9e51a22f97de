export { kernelContract } from './contract.ts'
export { compareOperations, type Subject } from './differential/compare.ts'
export { comparePackets } from './differential/compare-packets.ts'
export {
  type ConnectTraffic,
  type DatagramTraffic,
  type EchoTraffic,
  OPEN_PORT,
  type PacketScenario,
  type Traffic,
  type TrafficStep,
} from './differential/packet-scenario.ts'
export { placeOf, type Scenario, type ScenarioStep } from './differential/scenario.ts'
export type { ContractCase, Feature, Lab } from './lab.ts'
