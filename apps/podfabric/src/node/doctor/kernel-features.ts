import { mkdtemp, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kernel, KernelError, type LinkSpec, type Namespace } from '@podfabric/kernel'
import { linux } from '@podfabric/kernel-linux'
import { type Check, error, type Finding, orOk, unknown } from './check.ts'
import type { NodeView } from './node-view.ts'

/** Tried in a namespace of its own that is gone again afterwards: a kernel says only then what it has, and loads its modules. */
export const kernelFeatures: Check = {
  id: 'kernel-features',
  title: 'the kernel has what the networks need',
  async run({ kernel, networks, hidden }) {
    if (kernel === undefined) return [unknown(`not tried: ${hidden}`)]
    return inScratch((namespace) => missingFeatures(namespace, networks))
  },
}

/** What `networks` need and this empty namespace refuses. */
export async function missingFeatures(
  namespace: Namespace,
  networks: NodeView['networks'],
): Promise<readonly Finding[]> {
  const kinds: LinkSpec[] = [
    { kind: 'veth', name: 'try-veth', peer: { name: 'try-peer' } },
    { kind: 'bridge', name: 'try-bridge' },
  ]
  if (networks.some(({ tunnel }) => tunnel !== undefined))
    kinds.push({ kind: 'vxlan', name: 'try-vxlan', vni: 1 })
  const problems: Finding[] = []
  for (const spec of kinds) {
    await attempt(problems, `links of kind ${spec.kind}`, spec.kind, () => namespace.links.add(spec))
  }
  await attempt(problems, 'nftables', 'nf_tables', () =>
    namespace.nft.apply([{ verb: 'add', object: { kind: 'table', family: 'ip', name: 'try' } }]),
  )
  const tried = [...kinds.map(({ kind }) => kind), 'nftables']
  return orOk(problems, `it has ${tried.join(', ')}`)
}

async function attempt(problems: Finding[], what: string, module: string, work: () => Promise<void>) {
  try {
    await work()
  } catch (refusal) {
    if (!(refusal instanceof KernelError)) throw refusal
    problems.push(
      error(
        `the kernel has no ${what}: ${refusal.message}`,
        `load the module (modprobe ${module}), or take a kernel that has it`,
      ),
    )
  }
}

async function inScratch<T>(work: (namespace: Namespace) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'podfabric-doctor-'))
  const kernel = linux({ directory })
  try {
    return await within(kernel, work)
  } finally {
    await kernel[Symbol.asyncDispose]()
    await rmdir(directory)
  }
}

async function within<T>(kernel: Kernel, work: (namespace: Namespace) => Promise<T>): Promise<T> {
  const netns = await kernel.netns.create('scratch')
  const namespace = kernel.in(netns)
  try {
    return await work(namespace)
  } finally {
    await namespace[Symbol.asyncDispose]()
    await netns[Symbol.asyncDispose]()
    await kernel.netns.delete('scratch')
  }
}
