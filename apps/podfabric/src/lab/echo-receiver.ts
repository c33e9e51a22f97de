import type { RunningPod } from '@podfabric/cluster'
import type { Hop } from '@podfabric/trace'
import { type Lab, runningPods } from './lab.ts'
import { podLabel } from './pod-name.ts'

/**
 * Who got the echo request, when it was somebody else than the pod that was meant: where two pods have one address, the reply alone
 * does not tell. Undefined when it was the right one, or nobody.
 */
export function wrongReceiver(lab: Lab, meant: RunningPod, hops: readonly Hop[]): string | undefined {
  const delivered = hops.find((hop) => hop.step === 'deliver' && isEchoRequest(hop))
  if (!delivered || isAt(meant, delivered)) return undefined
  const found = runningPods(lab, { system: true }).find((pod) => isAt(pod, delivered))
  return `${found ? podLabel(found) : 'the node itself'} on ${delivered.node}`
}

function isAt({ node, sandbox }: RunningPod, hop: Hop): boolean {
  return hop.node === node && hop.netns === (sandbox.netns.path.split('/').at(-1) ?? '')
}

/** ICMP type 8 (RFC 792), ICMPv6 type 128 (RFC 4443, section 4.1). */
function isEchoRequest({ bytes, layer }: Hop): boolean {
  const start = layer === 'ethernet' ? 14 : 0
  const at = (offset: number) => bytes[start + offset] ?? 0
  if (at(0) >>> 4 === 4) return at(9) === 1 && at((at(0) & 15) * 4) === 8
  return at(0) >>> 4 === 6 && at(6) === 58 && at(40) === 128
}
