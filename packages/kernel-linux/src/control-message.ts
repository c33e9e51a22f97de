export interface ControlMessage {
  readonly level: number
  readonly type: number
  /** A view. */
  readonly data: Uint8Array
}

/** struct cmsghdr on 64 bits: length (8 octets, with this header), level, type; the next at a multiple of 8. */
const HEADER_LENGTH = 16

/** Stops where lengths do not add up. */
export function controlMessages(control: Uint8Array): readonly ControlMessage[] {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength)
  const messages: ControlMessage[] = []
  for (let at = 0; at + HEADER_LENGTH <= control.length; ) {
    const length = view.getUint32(at, true)
    if (length < HEADER_LENGTH || at + length > control.length) break
    messages.push({
      level: view.getInt32(at + 8, true),
      type: view.getInt32(at + 12, true),
      data: control.subarray(at + HEADER_LENGTH, at + length),
    })
    at += (length + 7) & ~7
  }
  return messages
}

export function controlData(control: Uint8Array, level: number, type: number): Uint8Array | undefined {
  return controlMessages(control).find((message) => message.level === level && message.type === type)?.data
}
