export type { Case } from './case.ts'
export { cases } from './cases/index.ts'
export { CaseFailure, ConformanceError, type ConformanceErrorCode } from './failure.ts'
export type { Feature, Features } from './feature.ts'
export type { Harness, Node } from './harness/harness.ts'
export { simulatedWorld } from './harness/simulated-world.ts'
export type { World, WorldOf } from './harness/world.ts'
export type { Level } from './level.ts'
export { formatJson } from './report/json.ts'
export { formatJunit } from './report/junit.ts'
export {
  type CaseResult,
  type Failure,
  type Report,
  type Status,
  type Verdict,
  verdictOf,
} from './report/report.ts'
export { formatFailure, formatTable } from './report/text.ts'
export { type Rule, type RuleId, rules } from './rules.ts'
export { type RunOptions, run } from './run.ts'
export type { ExecutableSubject, FactorySubject, Subject, SubjectNode } from './subject.ts'
