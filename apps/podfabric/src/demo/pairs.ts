import { recording, runningPods } from '../lab/lab.ts'
import { podLabel } from '../lab/pod-name.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

/** Every pod pings every other; of what is lost, the last drop says where and why. */
export const everyPair: Proof = {
  claim: 'Every pod reaches every other, on whichever node.',
  async run(lab) {
    const pods = runningPods(lab)
    if (pods.length < 2) return notShown('there are fewer than two pods')
    const lost: string[] = []
    let sent = 0
    for (const from of pods) {
      for (const to of pods) {
        const [destination] = to.sandbox.addresses
        if (from === to || destination === undefined) continue
        sent++
        const { result, hops } = await recording(lab, () => from.namespace.sockets.echo({ destination }))
        if (result.kind === 'reply') continue
        const drop = hops.findLast(({ step }) => step === 'drop')
        const where = drop
          ? `; dropped on ${drop.node}${drop.link === undefined ? '' : ` at ${drop.link}`}: ${drop.reason}`
          : ''
        lost.push(
          `${podLabel(from)} on ${from.node} does not reach ${podLabel(to)} on ${to.node}: ${result.kind}${where}`,
        )
      }
    }
    return holdsWhen(lost.length === 0, [`${sent} pings, ${sent - lost.length} replies`, ...lost.slice(0, 4)])
  },
}
