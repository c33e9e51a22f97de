import type { Hop } from './hop.ts'

/** What a capture file says of the packet at this hop, in one line. */
export function hopComment({ packet, node, netns, step, reason, because, cause }: Hop): string {
  const place = netns === '' ? node : `${node}/${netns}`
  const facts = Object.entries(because).map(([name, value]) => ` ${name}=${value}`)
  const origin = cause === undefined ? '' : ` caused by #${cause}`
  return `#${packet}${origin} ${place} ${step} ${reason}${facts.join('')}`
}
