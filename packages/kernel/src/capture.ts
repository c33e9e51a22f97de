/** Frames seen on one link, from the moment the promise resolved. Ends when closed, or with the link. */
export interface Capture extends AsyncDisposable, AsyncIterable<CapturedFrame> {
  close(): Promise<void>
}

export interface CapturedFrame {
  /** From the Ethernet header on; the reader's own copy. */
  readonly bytes: Uint8Array
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly direction: 'in' | 'out'
}
