export { kernelContract } from './contract.ts'
export type { ContractCase, Feature, Lab } from './lab.ts'
