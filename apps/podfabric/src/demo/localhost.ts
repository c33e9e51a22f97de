import { askWorkload, type RunningPod } from '@podfabric/cluster'
import { ip } from '@podfabric/netaddr'
import { runningPods } from '../lab/lab.ts'
import { podLabel } from '../lab/pod-name.ts'
import { holdsWhen, notShown, type Proof } from './proof.ts'

const localhost = ip('127.0.0.1')

/** The containers of a pod meet at 127.0.0.1; another pod's 127.0.0.1 is its own. */
export const sharedLocalhost: Proof = {
  claim:
    'The containers of one pod reach each other over localhost, and one pod’s localhost is not another’s.',
  async run(lab) {
    const pods = runningPods(lab)
    const pod = pods.find((running) => portsOf(running).length > 1)
    if (!pod) return notShown('no pod has two containers with TCP ports')
    const seen: string[] = []
    let right = true
    for (const { container, port } of portsOf(pod)) {
      const answer = await askWorkload(pod.namespace.sockets, { address: localhost, port })
      right &&= answer.container === container && answer.pod === pod.pod.metadata.name
      seen.push(
        `${podLabel(pod)}: 127.0.0.1:${port} is answered by container ${answer.container} of pod ${answer.pod}`,
      )
    }
    for (const other of pods.filter((running) => running !== pod).slice(0, 1)) {
      for (const { port } of portsOf(pod).filter(
        ({ port }) => !portsOf(other).some((own) => own.port === port),
      )) {
        const answered = await askWorkload(other.namespace.sockets, { address: localhost, port }).then(
          ({ pod }) => `is answered by pod ${pod}`,
          (error) =>
            error.code === 'ECONNREFUSED' ? undefined : `fails with ${error.code ?? error.message}`,
        )
        right &&= answered === undefined
        seen.push(
          `${podLabel(other)}: 127.0.0.1:${port} ${answered ?? 'is refused: nobody listens there in this pod'}`,
        )
      }
    }
    return holdsWhen(right, seen)
  },
}

function portsOf({ pod }: RunningPod): readonly { readonly container: string; readonly port: number }[] {
  return pod.spec.containers.flatMap(({ name, ports }) =>
    ports
      .filter(({ protocol }) => protocol === 'TCP')
      .slice(0, 1)
      .map(({ containerPort }) => ({ container: name, port: containerPort })),
  )
}
