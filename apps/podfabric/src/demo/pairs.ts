import { askWorkload, type RunningPod } from '@podfabric/cluster'
import { type Lab, recording, runningPods } from '../lab/lab.ts'
import { podLabel } from '../lab/pod-name.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

/**
 * Every pod calls every other: one with a TCP port is asked who it is, for at a doubled address somebody else may answer; one
 * without is pinged. Of what is lost, the last drop says where and why.
 */
export const everyPair: Proof = {
  claim: 'Every pod reaches every other, on whichever node.',
  async run(lab) {
    const pods = runningPods(lab)
    if (pods.length < 2) return notShown('there are fewer than two pods')
    const troubles: string[] = []
    let asked = 0
    for (const from of pods) {
      for (const to of pods) {
        if (from === to) continue
        asked++
        const trouble = await call(lab, from, to)
        if (trouble !== undefined) {
          troubles.push(`${podLabel(from)} on ${from.node} → ${podLabel(to)} on ${to.node}: ${trouble}`)
        }
      }
    }
    return holdsWhen(troubles.length === 0, [
      `${asked} pairs, ${asked - troubles.length} reached the pod that was meant`,
      ...troubles.slice(0, 6),
      ...(troubles.length > 6 ? [`and ${troubles.length - 6} more`] : []),
    ])
  },
}

/** Undefined when the pod that was meant answered; otherwise what happened instead. */
async function call(lab: Lab, from: RunningPod, to: RunningPod): Promise<string | undefined> {
  const [address] = to.sandbox.addresses
  if (address === undefined) return 'it has no address'
  const port = to.pod.spec.containers
    .flatMap(({ ports }) => ports)
    .find(({ protocol }) => protocol === 'TCP')?.containerPort
  const { result, hops } = await recording(lab, () => attempt(from, address, port))
  const { name } = to.pod.metadata
  if (result === name || result === 'pinged') return undefined
  const drop = hops.findLast(({ step }) => step === 'drop')
  const where = drop
    ? `; a packet was dropped on ${drop.node}${drop.link === undefined ? '' : ` at ${drop.link}`}: ${drop.reason}`
    : ''
  return result.startsWith('no ') ? `${address}: ${result}${where}` : `${address} is answered by ${result}`
}

/** Name of the pod that answered; `no …` when none did. A reply to a ping tells no name: it counts as the right one's. */
async function attempt(
  from: RunningPod,
  address: RunningPod['sandbox']['addresses'][number],
  port: number | undefined,
): Promise<string> {
  const { sockets } = from.namespace
  try {
    if (port !== undefined) return (await askWorkload(sockets, { address, port })).pod
    const { kind } = await sockets.echo({ destination: address })
    return kind === 'reply' ? 'pinged' : `no reply (${kind})`
  } catch (error) {
    return `no answer (${error instanceof Error && 'code' in error ? error.code : error})`
  }
}
