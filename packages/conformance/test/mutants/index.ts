import { edgeMutants } from './edge-mutants.ts'
import { ipamMutants } from './ipam-mutants.ts'
import type { Mutant } from './mutant.ts'
import { resultMutants } from './result-mutants.ts'
import { addressMutants, trafficMutants } from './traffic-mutants.ts'
import { checkMutants, delMutants, tendMutants } from './verb-mutants.ts'

/** Every broken plugin that the suite is tested with. */
export const mutants: readonly Mutant[] = [
  ...edgeMutants,
  ...resultMutants,
  ...checkMutants,
  ...delMutants,
  ...tendMutants,
  ...addressMutants,
  ...trafficMutants,
  ...ipamMutants,
]

export { ipamSubject } from './ipam-mutants.ts'
export { type Fails, type Mutant, referenceSubject } from './mutant.ts'
