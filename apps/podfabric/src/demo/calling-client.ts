import { askWorkload, type RunningPod } from '@podfabric/cluster'
import { sleep } from '@podfabric/kernel'
import type { Lab } from '../lab/lab.ts'

/** What a client that calls by name saw. */
export interface Calls {
  readonly made: number
  /** Why calls failed, one line each. */
  readonly failures: readonly string[]
  /** Names of the pods that answered. */
  readonly answeredBy: ReadonlySet<string>
}

/** Milliseconds between calls. */
const interval = 250
/** Milliseconds after which a call has failed. */
const patience = 3_000

/**
 * Calls a name again and again from inside a pod while something else is done, as a real program does: answers are kept for as
 * long as they say, and addresses are taken in turn.
 */
export async function callWhile(
  lab: Lab,
  from: RunningPod,
  target: { readonly name: string; readonly port: number },
  work: () => Promise<void>,
): Promise<Calls> {
  const resolver = from.resolver({ cache: true })
  const failures: string[] = []
  const answeredBy = new Set<string>()
  let made = 0
  let done = false

  async function callOnce() {
    const turn = made++
    try {
      const addresses = await resolver.lookup(target.name)
      const address = addresses[turn % addresses.length]
      if (address === undefined) throw new Error(`${target.name} has no address`)
      const { pod } = await within(lab, (signal) =>
        askWorkload(from.namespace.sockets, { address, port: target.port }, { signal }),
      )
      answeredBy.add(pod)
    } catch (error) {
      failures.push(`call ${made}: ${error instanceof Error ? error.message : error}`)
    }
  }

  async function keepCalling() {
    while (!done) {
      await callOnce()
      await sleep(lab.clock, interval)
    }
  }

  const calling = keepCalling()
  try {
    await work()
  } finally {
    done = true
    await calling
  }
  return { made, failures, answeredBy }
}

/** Gives up after `patience` on the cluster's clock. */
async function within<T>(lab: Lab, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController()
  const timer = lab.clock.after(patience, () =>
    late.abort(new Error(`no answer within ${patience / 1000} s`)),
  )
  try {
    return await work(late.signal)
  } finally {
    timer[Symbol.dispose]()
  }
}
