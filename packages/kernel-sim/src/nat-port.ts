import { ipProtocols } from '@podfabric/wire'
import { isIcmp, type Tuple } from './conntrack-tuple.ts'

/** Ports tried before a connection is refused. */
const ATTEMPTS = 4096

/**
 * Gives the source of a tuple a port that makes it unlike every connection's, from the class of ports that its
 * own is in, as Linux does: below 512, below 1024, or above. False where none was found.
 */
export function choosePort(tuple: Tuple, isTaken: (tuple: Tuple) => boolean, random: () => number): boolean {
  const [first, count] = portClass(tuple)
  if (count === 0) return false
  const start = Math.floor(random() * count)
  for (let i = 0; i < Math.min(count, ATTEMPTS); i++) {
    tuple.source = first + ((start + i) % count)
    if (!isTaken(tuple)) return true
  }
  return false
}

function portClass({ protocol, source }: Tuple): readonly [first: number, count: number] {
  if (isIcmp(protocol)) return [0, 0x1_0000]
  if (protocol !== ipProtocols.tcp && protocol !== ipProtocols.udp && protocol !== ipProtocols.sctp)
    return [0, 0]
  if (source < 512) return [1, 511]
  if (source < 1024) return [600, 424]
  return [1024, 0x1_0000 - 1024]
}
