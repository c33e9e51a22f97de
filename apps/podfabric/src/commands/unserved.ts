import type { Lab } from '../lab/lab.ts'
import type { Output } from '../output.ts'

/** Warns of service addresses that are given and not served: nobody should find that out by a timeout. */
export function noteUnserved(lab: Lab, output: Output): void {
  const unserved = lab.cluster.objects
    .list('Service')
    .filter(({ metadata, spec }) => spec.clusterIPs.length > 0 && metadata.namespace !== 'kube-system')
  if (unserved.length === 0) return
  const names = unserved.map(({ metadata, spec }) => {
    const { name, namespace } = metadata
    return `${namespace === 'default' ? name : `${namespace}/${name}`} (${spec.clusterIPs.join(', ')})`
  })
  const advice = 'there is no service proxy yet; headless services (clusterIP: None) and pods are reached'
  output.note(`warning: NOTHING ANSWERS at the addresses of these services: ${names.join(', ')}; ${advice}`)
}
