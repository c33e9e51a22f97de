import type { Namespace } from '@podfabric/kernel'
import { type FeatureAvailability, featuresIn, type LinuxFeature, tryFeatures } from '@podfabric/kernel-linux'
import { type Check, error, type Finding, orOk, unknown } from './check.ts'
import type { NodeView } from './node-view.ts'

/** Tried in a namespace of its own that is gone again afterwards: a kernel says only then what it has, and loads its modules. */
export const kernelFeatures: Check = {
  id: 'kernel-features',
  title: 'the kernel has what the networks need',
  async run({ kernel, networks, hidden }) {
    if (kernel === undefined) return [unknown(`not tried: ${hidden}`)]
    return told(await tryFeatures(neededBy(networks)))
  },
}

/** What `networks` need and this empty namespace refuses. */
export async function missingFeatures(
  namespace: Namespace,
  networks: NodeView['networks'],
): Promise<readonly Finding[]> {
  return told(await featuresIn(namespace, neededBy(networks)))
}

function neededBy(networks: NodeView['networks']): readonly LinuxFeature[] {
  const tunnels = networks.some(({ tunnel }) => tunnel !== undefined)
  return ['rtnetlink', 'veth', 'bridge', ...(tunnels ? (['vxlan'] as const) : []), 'nftables']
}

function told(features: readonly FeatureAvailability[]): readonly Finding[] {
  const problems = features.flatMap((each) => (each.available ? [] : [error(each.reason, each.wayOut)]))
  return orOk(problems, `it has ${features.map(({ feature }) => feature).join(', ')}`)
}
