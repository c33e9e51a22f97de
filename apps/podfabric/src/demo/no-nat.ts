import { askWorkload, type RunningPod } from '@podfabric/cluster'
import { runningPods } from '../lab/lab.ts'
import { podLabel } from '../lab/pod-name.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

/** Every pod asks every pod with a TCP port; each answer tells whom the receiver saw. */
export const noNat: Proof = {
  claim: 'The receiver sees the sender’s own address: there is no NAT between pods.',
  async run(lab) {
    const pods = runningPods(lab)
    const seen: string[] = []
    let asked = 0
    let changed = 0
    for (const from of pods) {
      for (const to of pods) {
        const [address] = to.sandbox.addresses
        const port = tcpPort(to)
        if (from === to || address === undefined || port === undefined) continue
        asked++
        const outcome = await askWorkload(from.namespace.sockets, { address, port }).then(
          ({ client }) => client.address,
          (error) => `nothing: ${error instanceof Error ? error.message : error}`,
        )
        const right = from.sandbox.addresses.some((own) => own === outcome)
        if (!right) changed++
        if (!right || asked <= 4) {
          seen.push(
            `${podLabel(from)} (${from.sandbox.addresses[0]}) asks ${podLabel(to)} (${address}), which saw ${outcome}`,
          )
        }
      }
    }
    if (asked === 0) return notShown('no pod has a TCP port to ask at')
    seen.push(`${asked} pairs asked, ${asked - changed} saw the sender’s own address`)
    return holdsWhen(changed === 0, seen)
  },
}

function tcpPort({ pod }: RunningPod): number | undefined {
  return pod.spec.containers.flatMap(({ ports }) => ports).find(({ protocol }) => protocol === 'TCP')
    ?.containerPort
}
