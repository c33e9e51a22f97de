import { isReady, type Pod } from '@podfabric/kube'

/**
 * From which moment on, in milliseconds since the Unix epoch, a pod counts as available: once it has been ready for
 * `minReadySeconds`. Undefined while it is not ready.
 */
export function availableFrom(pod: Pod, minReadySeconds: number): number | undefined {
  if (!isReady(pod)) return undefined
  const since = pod.status?.conditions.find(({ type }) => type === 'Ready')?.lastTransitionTime
  return since === undefined ? 0 : Date.parse(since) + 1000 * minReadySeconds
}

export function isAvailable(pod: Pod, minReadySeconds: number, at: number): boolean {
  return (availableFrom(pod, minReadySeconds) ?? Number.POSITIVE_INFINITY) <= at
}
