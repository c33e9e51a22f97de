import { httpGet, type RunningPod } from '@podfabric/cluster'
import { sleep } from '@podfabric/kernel'
import { runningPods } from '../lab/lab.ts'
import { podLabel } from '../lab/pod-name.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

const size = 1_000_000
/** Milliseconds on the cluster's clock; what gets through at all takes far less. */
const patience = 60_000

/** A transfer of full-sized packets between nodes: it stalls where the overlay's headers do not fit the wire. */
export const largeTransfer: Proof = {
  claim: 'Large transfers pass between nodes: the pods’ MTU leaves room for the outer headers.',
  bulk: true,
  async run(lab) {
    const pods = runningPods(lab)
    const pair = pods.flatMap((from) =>
      pods.filter((to) => to.node !== from.node && tcpPort(to) !== undefined).map((to) => ({ from, to })),
    )[0]
    const address = pair?.to.sandbox.addresses[0]
    const port = pair && tcpPort(pair.to)
    if (!pair || address === undefined || port === undefined)
      return notShown('no two pods with a TCP port are on two nodes')
    const { from, to } = pair
    const mtu = (await to.namespace.links.list()).find(({ name }) => name === 'eth0')?.mtu
    const late = new AbortController()
    const deadline = sleep(lab.clock, patience, { signal: late.signal }).then(() =>
      late.abort(new Error(`nothing more came for ${patience / 1000} s`)),
    )
    const got = await httpGet(
      from.namespace.sockets,
      { address, port },
      { path: `/bytes/${size}`, signal: late.signal },
    ).then(
      ({ body }) => (body.every((octet, i) => octet === i % 251) ? body.length : 0),
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    late.abort()
    await deadline.catch(() => undefined)
    const what = `${podLabel(from)} fetches ${size} octets from ${podLabel(to)}, pod MTU ${mtu}`
    return holdsWhen(got === size, [
      typeof got === 'number' ? `${what}: ${got} arrived, each as it was sent` : `${what}: ${got}`,
    ])
  },
}

function tcpPort({ pod }: RunningPod): number | undefined {
  return pod.spec.containers.flatMap(({ ports }) => ports).find(({ protocol }) => protocol === 'TCP')
    ?.containerPort
}
