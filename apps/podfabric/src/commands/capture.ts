import { overlayProtocols } from '@podfabric/overlay'
import { captureFile, parseFilter } from '@podfabric/trace'
import type { Lab } from '../lab/lab.ts'

export interface CaptureOptions {
  readonly filter: string
  readonly count?: number | undefined
  readonly signal: AbortSignal
}

/** Writes frames on links as they pass, until there were `count` of them or the signal is aborted. */
export async function capture(
  lab: Lab,
  options: CaptureOptions,
  write: (block: Uint8Array) => void,
): Promise<void> {
  const passes = parseFilter(options.filter, overlayProtocols)
  const file = captureFile(write, { application: 'podfabric' })
  let left = options.count ?? Number.POSITIVE_INFINITY
  const { promise, resolve } = Promise.withResolvers<void>()
  options.signal.addEventListener('abort', () => resolve(), { once: true })
  if (options.signal.aborted) resolve()
  const watch = await lab.watchHops((hop) => {
    if (left > 0 && passes(hop) && file.add(hop) && --left === 0) resolve()
  })
  await promise
  await watch[Symbol.asyncDispose]()
}
