import { explain } from '../failure.ts'
import type { Output } from '../output.ts'
import type { Lab } from './lab.ts'

/** Waits until all is as wished. When that does not come about, a note says what is missing, and the answer is false: the rest is there. */
export async function settledOrSaid(lab: Lab, output: Output): Promise<boolean> {
  try {
    await lab.cluster.settled()
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'CLUSTER_NOT_SETTLED')) throw error
    for (const line of explain(error)) output.note(`warning: ${line}`)
    return false
  }
}
