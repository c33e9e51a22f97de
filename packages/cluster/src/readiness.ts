import type { Clock, Kernel } from '@podfabric/kernel'
import type { Container, Pod, Probe } from '@podfabric/kube'
import { probe } from './probe.ts'
import type { Sandbox } from './sandbox.ts'

export interface ReadinessOptions {
  readonly kernel: Kernel
  readonly clock: Clock
  /** Ends the watch. */
  readonly signal: AbortSignal
  /** Called when the pod becomes ready or unready. */
  readonly onChange: (ready: boolean) => void
}

/**
 * Probes each container that has a readiness probe as often as it says; a container without one is ready once it runs. The pod is
 * ready while all are. Between probes its timers are background timers.
 */
export function watchReadiness(pod: Pod, sandbox: Sandbox, options: ReadinessOptions): void {
  const ready = new Map(
    pod.spec.containers.map(({ name, readinessProbe }) => [name, readinessProbe === undefined]),
  )
  let last: boolean | undefined

  function announce() {
    const now = [...ready.values()].every(Boolean)
    if (now !== last && !options.signal.aborted) options.onChange(now)
    last = now
  }

  for (const container of pod.spec.containers) {
    if (container.readinessProbe === undefined) continue
    watchContainer(container, container.readinessProbe, sandbox, options, (passing) => {
      ready.set(container.name, passing)
      announce()
    })
  }
  announce()
}

function watchContainer(
  container: Container,
  action: Probe,
  sandbox: Sandbox,
  { kernel, clock, signal }: ReadinessOptions,
  onResult: (passing: boolean) => void,
): void {
  const { initialDelaySeconds, periodSeconds, timeoutSeconds, successThreshold, failureThreshold } = action
  let passing = false
  let inRow = 0

  function count(success: boolean) {
    if (success === passing) {
      inRow = 0
      return
    }
    inRow++
    if (inRow < (success ? successThreshold : failureThreshold)) return
    passing = success
    inRow = 0
    onResult(passing)
  }

  async function once() {
    if (signal.aborted) return
    const [address] = sandbox.addresses
    if (address !== undefined) {
      const host = kernel.in(kernel.netns.host)
      const late = new AbortController()
      const timer = clock.after(timeoutSeconds * 1000, () => late.abort(new Error('the probe timed out')))
      count(await probe(action, { sockets: host.sockets, address, container, signal: late.signal }))
      timer[Symbol.dispose]()
      await host[Symbol.asyncDispose]()
    }
    if (!signal.aborted) wait(periodSeconds)
  }

  function wait(seconds: number) {
    const timer = clock.after(seconds * 1000, () => void once(), { background: true })
    signal.addEventListener('abort', () => timer[Symbol.dispose](), { once: true })
  }

  if (initialDelaySeconds > 0) wait(initialDelaySeconds)
  else void once()
}
