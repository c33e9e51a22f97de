import type { Log } from '@podfabric/cni'
import { type Clock, type Kernel, sleep } from '@podfabric/kernel'
import type { Container, Pod, Probe } from '@podfabric/kube'
import { probe } from './probe.ts'
import type { Sandbox } from './sandbox.ts'

export interface ReadinessOptions {
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Log
  /** Ends the watch. */
  readonly signal: AbortSignal
  /** Called when the pod becomes ready or unready, and when it lacks something else; `why` says what. */
  readonly onChange: (ready: boolean, why: string | undefined) => void
}

/**
 * Probes each container that has a readiness probe as often as it says, once its startup probe has passed; a container without
 * either is ready once it runs. The pod is ready while all are. Between probes its timers are background timers.
 */
export function watchReadiness(
  pod: Pod,
  sandbox: Pick<Sandbox, 'addresses'>,
  options: ReadinessOptions,
): void {
  const lacking = new Map<string, string>()
  let last: string | undefined | null = null

  function announce() {
    const [why] = lacking.values()
    if (why !== last && !options.signal.aborted) options.onChange(lacking.size === 0, why)
    last = why
  }

  for (const container of pod.spec.containers) {
    const { name, startupProbe, readinessProbe } = container
    if (!startupProbe && !readinessProbe) continue
    lacking.set(name, `container ${name} has not been probed yet`)
    const tell = (failure: string | undefined) => {
      if (failure === undefined) lacking.delete(name)
      else lacking.set(name, `container ${name}: ${failure}`)
      announce()
    }
    watchContainer(container, sandbox, options, tell).catch((error: unknown) => {
      if (options.signal.aborted) return
      options.log.error('a container is probed no more', { pod: pod.metadata.name, container: name, error })
      tell(`cannot be probed: ${error instanceof Error ? error.message : String(error)}`)
    })
  }
  announce()
}

async function watchContainer(
  container: Container,
  sandbox: Pick<Sandbox, 'addresses'>,
  options: ReadinessOptions,
  tell: (failure: string | undefined) => void,
): Promise<void> {
  const { startupProbe, readinessProbe } = container
  if (startupProbe) {
    for await (const failure of probing(container, startupProbe, sandbox, options)) {
      if (failure === undefined) break
      tell(`startup probe: ${failure}`)
    }
  }
  if (!readinessProbe) return tell(undefined)
  const counted = thresholds(readinessProbe)
  for await (const failure of probing(container, readinessProbe, sandbox, options)) {
    if (counted(failure === undefined)) tell(failure && `readiness probe: ${failure}`)
  }
}

/** Outcomes of one probe for as long as somebody asks; ends with the signal's reason. */
async function* probing(
  container: Container,
  action: Probe,
  sandbox: Pick<Sandbox, 'addresses'>,
  { kernel, clock, signal }: ReadinessOptions,
): AsyncGenerator<string | undefined, never> {
  const { initialDelaySeconds, periodSeconds, timeoutSeconds } = action
  if (initialDelaySeconds > 0) await sleep(clock, initialDelaySeconds * 1000, { signal, background: true })
  for (;;) {
    signal.throwIfAborted()
    yield await once(action, container, sandbox, kernel, clock, timeoutSeconds)
    await sleep(clock, periodSeconds * 1000, { signal, background: true })
  }
}

async function once(
  action: Probe,
  container: Container,
  { addresses: [address] }: Pick<Sandbox, 'addresses'>,
  kernel: Kernel,
  clock: Clock,
  timeoutSeconds: number,
): Promise<string | undefined> {
  if (address === undefined) return 'the pod has no address'
  const host = kernel.in(kernel.netns.host)
  const late = new AbortController()
  const timer = clock.after(timeoutSeconds * 1000, () =>
    late.abort(new Error(`no answer within ${timeoutSeconds} s`)),
  )
  try {
    return await probe(action, { sockets: host.sockets, address, container, signal: late.signal })
  } finally {
    timer[Symbol.dispose]()
    await host[Symbol.asyncDispose]()
  }
}

/**
 * Counts outcomes: says whether the container's standing is to be told. It is not ready at first, becomes ready after
 * `successThreshold` successes in a row and unready after `failureThreshold` failures; while it stays unready each failure is
 * told, for its reason.
 */
export function thresholds({
  successThreshold,
  failureThreshold,
}: Pick<Probe, 'successThreshold' | 'failureThreshold'>): (success: boolean) => boolean {
  let ready = false
  let inRow = 0
  return (success) => {
    if (success === ready) {
      inRow = 0
      return !ready
    }
    inRow++
    if (inRow < (success ? successThreshold : failureThreshold)) return false
    ready = success
    inRow = 0
    return true
  }
}
