export { kernelContract } from './contract.ts'
export { compareOperations, type Subject } from './differential/compare.ts'
export { placeOf, type Scenario, type ScenarioStep } from './differential/scenario.ts'
export type { ContractCase, Feature, Lab } from './lab.ts'
