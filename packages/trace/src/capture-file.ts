import { linkTypes, pcapngWriter } from '@podfabric/wire'
import { hopComment } from './comment.ts'
import type { Hop } from './hop.ts'

/** Takes hops and writes those at which a frame passed a link. */
export interface CaptureFile {
  /** Writes the hop, or passes over one that is not a frame on a link. Returns whether it was written. */
  add(hop: Hop): boolean
}

/**
 * A pcapng file of frames on links, each interface named `node/netns/link` and each packet with a comment that
 * says what the hop was and why. `write` gets whole blocks, each its own buffer.
 */
export function captureFile(
  write: (block: Uint8Array) => void,
  options: { readonly application: string },
): CaptureFile {
  const writer = pcapngWriter(write, options)
  const interfaces = new Map<string, number>()
  return {
    add(hop) {
      if (hop.link === undefined || hop.layer !== 'ethernet') return false
      if (hop.step !== 'transmit' && hop.step !== 'receive') return false
      const name = [hop.node, hop.netns, hop.link].filter((part) => part !== '').join('/')
      const interfaceIndex =
        interfaces.get(name) ?? writer.addInterface({ name, linkType: linkTypes.ethernet })
      interfaces.set(name, interfaceIndex)
      const timestamp = nanoseconds(hop.at)
      writer.addPacket({ interfaceIndex, timestamp, bytes: hop.bytes, comments: [hopComment(hop)] })
      return true
    },
  }
}

/** Milliseconds with a fraction to whole nanoseconds; split so that the fraction keeps its digits. */
function nanoseconds(at: number): bigint {
  const whole = Math.floor(at)
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((at - whole) * 1_000_000))
}
