import { overlayFormatters, overlayProtocols } from '@podfabric/overlay'
import { formatJourney, journeys, stages } from '@podfabric/trace'
import { recording, runningPods } from '../lab/lab.ts'
import { placeNames, podLabel } from '../lab/pod-name.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

/** One echo request from a pod to a pod on another node, hop by hop. */
export const acrossNodes: Proof = {
  claim: 'A pod reaches a pod on another node at that pod’s own address; the overlay carries it.',
  async run(lab) {
    const pods = runningPods(lab)
    const [from, to] =
      pods.flatMap((a) => pods.filter((b) => a.node < b.node).map((b) => [a, b] as const))[0] ?? []
    const address = to?.sandbox.addresses[0]
    if (!from || !to || address === undefined) return notShown('no two pods are on two nodes')
    const { result, hops } = await recording(lab, () => from.namespace.sockets.echo({ destination: address }))
    const request = journeys(hops).find(({ hops: [first] }) => first?.step === 'send' && first.layer === 'ip')
    if (!request) return notShown('the network gave no record of the packet')
    const text = formatJourney(request, {
      protocols: overlayProtocols,
      formatters: overlayFormatters,
      place: placeNames(lab),
    })
    const seen = [
      `${podLabel(from)} on ${from.node} sends an echo request to ${address}, ${podLabel(to)} on ${to.node}: ${stages(request).length} steps`,
      ...text.split('\n'),
      result.kind === 'reply' ? `the reply comes from ${result.from}` : `no reply: ${result.kind}`,
    ]
    return holdsWhen(result.kind === 'reply' && result.from === address, seen)
  },
}
