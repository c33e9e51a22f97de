import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { relative } from 'node:path'
import { finished } from 'node:stream/promises'
import type { KubeObject } from '@podfabric/kube'
import { captureFile, type Hop } from '@podfabric/trace'
import { exitCodes, Failure } from '../failure.ts'
import { createLab } from '../lab/create-lab.ts'
import type { Lab } from '../lab/lab.ts'
import { lineLog } from '../log.ts'
import { loadManifests } from '../manifests.ts'
import type { Output } from '../output.ts'
import { shippedFile } from '../package-folder.ts'
import { choosePlugins, type PodNetworkChoice } from '../plugins.ts'
import { uniqueAddresses } from './addresses.ts'
import { conformanceTable } from './conformance.ts'
import { largeTransfer } from './large-transfer.ts'
import { sharedLocalhost } from './localhost.ts'
import { namesFollowPods } from './names.ts'
import { noNat } from './no-nat.ts'
import { dyingNode, joiningNode } from './nodes.ts'
import { everyPair } from './pairs.ts'
import type { Finding, Proof } from './proof.ts'
import { acrossNodes } from './six-steps.ts'

/** The sentences of the network model, in the order in which they build on each other. */
export const proofs: readonly Proof[] = [
  sharedLocalhost,
  uniqueAddresses,
  acrossNodes,
  everyPair,
  noNat,
  largeTransfer,
  namesFollowPods,
  joiningNode,
  dyingNode,
]

/** What a network for one machine is asked on two. */
export const bridgeProofs: readonly Proof[] = [uniqueAddresses, everyPair]

/**
 * Proves the network model by packets, on the shipped manifests or on others, then shows what the same manifests meet on the
 * single-machine bridge network, and which plugins conform. Exit code 1 when a sentence did not hold on the pod network, or a shipped
 * plugin does not conform.
 */
export async function demo(options: Readonly<Record<string, unknown>>, output: Output): Promise<number> {
  const objects = await loadManifests(
    (options.file as string[] | undefined) ?? [shippedFile('manifests')],
    output,
  )
  const folder = process.cwd()
  const network =
    (options.network as string | undefined) ?? relative(folder, shippedFile('networks/flannel.conflist'))
  const choice = await choosePlugins({ network, folder })
  const bridge = await choosePlugins({
    network: relative(folder, shippedFile('networks/bridge.conflist')),
    folder,
  })
  const seed = Number(options.seed)
  const pcap = String(options.pcap)

  output.line(`The Kubernetes network model, by packets, on a simulated kernel (seed ${seed}).`)
  output.line(`Network ${choice.network.name}: ${choice.network.plugins.map(({ type }) => type).join(', ')}.`)
  const { findings, frames } = await withCapture(pcap, (onHop) =>
    prove(objects, choice, proofs, { seed, output, onHop }),
  )

  output.line(
    `\nThe same manifests on network ${bridge.network.name}, a bridge on each machine and nothing between them:`,
  )
  await prove(objects, bridge, bridgeProofs, { seed, output })
  output.line('  A bridge knows the pods of its own machine only: that is what an overlay is for.')

  output.line('\nConformance of the shipped plugins:')
  const conformance = await conformanceTable(seed)
  output.line(conformance.text)

  output.line(`\n${frames} frames are in ${pcap}: podfabric decode ${pcap}, or open it in Wireshark.`)
  const failed = findings.filter(({ verdict }) => verdict === 'fails').length
  output.line(failed === 0 ? 'Every sentence held.' : `${failed} sentences did not hold.`)
  return failed === 0 && conformance.conform ? 0 : exitCodes.failed
}

export interface ProveOptions {
  readonly seed: number
  /** See `LabOptions`. */
  readonly nodeMtu?: number
  readonly output: Output
  /** Told of every hop; of proofs in bulk only of what the nodes' own cards send. */
  readonly onHop?: ((hop: Hop) => void) | undefined
}

/** Makes the proofs one after the other in one cluster of two nodes. */
export async function prove(
  objects: readonly KubeObject[],
  choice: PodNetworkChoice,
  wanted: readonly Proof[],
  { seed, output, onHop, nodeMtu }: ProveOptions,
): Promise<readonly Finding[]> {
  const log = lineLog((line) => output.note(line), 'warn')
  const lab: Lab = await createLab({ choice, seed, log, nodes: 2, ...(nodeMtu && { nodeMtu }) })
  let bulk = false
  const watch = onHop && (await lab.watchHops((hop) => (!bulk || isOnWire(hop)) && onHop(hop)))
  try {
    lab.cluster.apply(objects)
    await lab.cluster.settled()
    const findings: Finding[] = []
    for (const proof of wanted) {
      bulk = proof.bulk ?? false
      const finding = await proof.run(lab)
      findings.push(finding)
      const mark = { holds: '✓', fails: '✗', 'not-shown': '–' }[finding.verdict]
      output.line(`\n${mark} ${proof.claim}`)
      for (const line of finding.seen) output.line(`    ${line}`)
    }
    return findings
  } finally {
    await watch?.[Symbol.asyncDispose]()
    await lab.close()
  }
}

async function withCapture(
  file: string,
  work: (onHop: (hop: Hop) => void) => Promise<readonly Finding[]>,
): Promise<{ readonly findings: readonly Finding[]; readonly frames: number }> {
  const stream = createWriteStream(file)
  await once(stream, 'open').catch((cause: Error) => {
    throw new Failure('usage', `${file}: cannot be written: ${cause.message}`, { cause })
  })
  const capture = captureFile((block) => void stream.write(block), { application: 'podfabric demo' })
  let frames = 0
  try {
    const findings = await work((hop) => {
      if (capture.add(hop)) frames++
    })
    return { findings, frames }
  } finally {
    stream.end()
    await finished(stream)
  }
}

/** Whether a node's own card sends it: each packet between nodes once, in its outer headers. */
function isOnWire({ step, netns, link }: Hop): boolean {
  return step === 'transmit' && netns === '' && link === 'eth0'
}
