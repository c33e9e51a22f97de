import { runningPods } from '../lab/lab.ts'
import { podLabel } from '../lab/pod-name.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

/** Every pod has an address that no other pod of the cluster has, and its own interface carries it. */
export const uniqueAddresses: Proof = {
  claim: 'Every pod has its own address, unique in the cluster, whichever node it is on.',
  async run(lab) {
    const pods = runningPods(lab)
    if (pods.length < 2) return notShown('there are fewer than two pods')
    const seen: string[] = []
    const owners = new Map<string, string>()
    let right = true
    for (const pod of pods) {
      const own = (await pod.namespace.addresses.list()).map(({ address }) => address.split('/')[0])
      for (const address of pod.sandbox.addresses) {
        const other = owners.get(address)
        owners.set(address, podLabel(pod))
        const carried = own.includes(address)
        right &&= other === undefined && carried
        const trouble = other === undefined ? (carried ? '' : ' (not on its interface!)') : ` (as ${other}!)`
        seen.push(`${pod.node}  ${podLabel(pod)}  ${address}${trouble}`)
      }
    }
    return holdsWhen(right, seen)
  },
}
