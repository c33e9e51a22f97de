import { type Capture, type CapturedFrame, KernelError } from '@podfabric/kernel'
import type { Device } from './device.ts'
import { PromiseQueue } from './promise-queue.ts'

/** Frames of one link on their way to one reader. */
export type CaptureQueue = PromiseQueue<CapturedFrame>

/** A reader that never comes must not fill the memory: the oldest frames stay, later ones are not taken. */
const LIMIT = 65_536

/** Starts to capture on a device. */
export function captureOn(device: Device): Capture {
  const queue: CaptureQueue = new PromiseQueue(LIMIT)
  device.captures = [...device.captures, queue]
  const close = async (): Promise<void> => {
    device.captures = device.captures.filter((other) => other !== queue)
    queue.end()
  }
  return {
    close,
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => queue.iterate(close),
  }
}

/** Ends all captures of a device that goes away. What was captured can still be read. */
export function endCaptures(device: Device): void {
  for (const queue of device.captures) queue.end()
  device.captures = []
}

/** The error of whatever was closed. */
export function closedError(operation: string): KernelError {
  return new KernelError('EBADF', operation, 'it is closed')
}
