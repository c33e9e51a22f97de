import assert from 'node:assert/strict'
import type { WatchEvent } from '../store.ts'
import type { StoreErrorCode } from '../store-error.ts'

const deadlineMs = 10_000

/** The call must reject with this code. */
export async function refused(code: StoreErrorCode, call: () => Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.equal((error as { code?: unknown }).code, code, `expected ${code}, got ${String(error)}`)
    return true
  })
}

/** The watch's next event, which must come before the deadline. */
export async function nextEvent(watch: AsyncIterator<WatchEvent>): Promise<WatchEvent> {
  const result = await inTime(watch.next(), 'the next event of a watch')
  assert.ok(!result.done, 'the watch ended instead of reporting its next event')
  return result.value
}

/** The watch's next event, which must be of this kind. */
export async function nextOf<K extends WatchEvent['kind']>(
  watch: AsyncIterator<WatchEvent>,
  kind: K,
): Promise<Extract<WatchEvent, { kind: K }>> {
  const event = await nextEvent(watch)
  assert.ok(isKind(event, kind), `expected ${kind}, got ${JSON.stringify(event)}`)
  return event
}

function isKind<K extends WatchEvent['kind']>(
  event: WatchEvent,
  kind: K,
): event is Extract<WatchEvent, { kind: K }> {
  return event.kind === kind
}

/** What `promise` settles to, which it must do before the deadline. */
export async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${deadlineMs} ms`)), deadlineMs)
  })
  try {
    return await Promise.race([promise, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/** Settles when the signal is aborted, with its reason. */
export async function aborted(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) {
    const abort = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    await inTime(abort, 'the abortion of a signal')
  }
  return signal.reason
}
