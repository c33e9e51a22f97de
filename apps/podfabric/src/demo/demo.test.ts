import { fileURLToPath } from 'node:url'
import { type NetworkList, parseNetworkList } from '@podfabric/cni'
import type { KubeObject } from '@podfabric/kube'
import { captureFile } from '@podfabric/trace'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadManifests } from '../manifests.ts'
import { exampleNetwork, shippedPlugins } from '../plugins.ts'
import { bridgeProofs, proofs, prove } from './demo.ts'
import { largeTransfer } from './large-transfer.ts'
import { namesFollowPods } from './names.ts'
import { noNat } from './no-nat.ts'
import type { Proof } from './proof.ts'

const quiet = { line: () => undefined, note: () => undefined }
let manifests: readonly KubeObject[] = []

beforeAll(async () => {
  manifests = await loadManifests([fileURLToPath(new URL('../../manifests', import.meta.url))], quiet)
})

const flannel = (keys: object = {}): NetworkList =>
  parseNetworkList(
    JSON.stringify({
      cniVersion: '1.1.0',
      name: 'podnet',
      plugins: [{ type: 'flannel', network: '10.244.0.0/16', ...keys }],
    }),
  )

interface Setting {
  readonly network?: NetworkList
  readonly objects?: readonly KubeObject[]
  readonly nodeMtu?: number
}

async function findings(
  wanted: readonly Proof[],
  { network = flannel(), objects = manifests, nodeMtu }: Setting = {},
) {
  const choice = { network, plugins: shippedPlugins }
  return prove(objects, choice, wanted, { seed: 1, output: quiet, ...(nodeMtu !== undefined && { nodeMtu }) })
}

const verdicts = async (wanted: readonly Proof[], setting?: Setting) =>
  (await findings(wanted, setting)).map(({ verdict }) => verdict)

describe('the demo’s proofs', () => {
  it('all hold on the shipped manifests over VXLAN', { timeout: 60_000 }, async () => {
    expect(await verdicts(proofs)).toEqual(proofs.map(() => 'holds'))
  })

  it('all hold without encapsulation', { timeout: 60_000 }, async () => {
    const network = flannel({ backend: { type: 'host-gw' } })
    expect(await verdicts(proofs, { network })).toEqual(proofs.map(() => 'holds'))
  })

  it('that there is no NAT fails with masquerading switched on', async () => {
    const network = flannel({ delegate: { ipMasq: true } })
    const [finding] = await findings([noNat], { network })
    expect(finding?.verdict).toBe('fails')
    expect(finding?.seen.join('\n')).toMatch(/asks .*, which saw 10\.244\.\d+\.[01]\n/)
  })

  it('that no call by name fails does fail with a grace period of 0', { timeout: 60_000 }, async () => {
    const [finding] = await findings([namesFollowPods], { objects: manifests.map(withoutGrace) })
    expect(finding?.verdict).toBe('fails')
    expect(finding?.seen.join('\n')).toMatch(/call \d+: no answer within 3 s/)
  })

  it('that large transfers pass fails where the outer headers do not fit the wire', async () => {
    // The cards claim 50 octets more than the wire carries, so that the pods' 1500 leave no room for the outer headers.
    const [finding] = await findings([largeTransfer], { nodeMtu: 1550 })
    expect(finding?.verdict).toBe('fails')
    expect(finding?.seen).toEqual([expect.stringMatching(/pod MTU 1500: nothing more came for 60 s/)])
  })

  it('fail on a single-machine bridge that is asked to span two nodes', async () => {
    const network = exampleNetwork(shippedPlugins.bridge ?? expect.fail('no bridge'))
    expect(await verdicts(bridgeProofs, { network })).toContain('fails')
  })

  it('say what is missing where manifests have nothing to show them with', async () => {
    const onePod = manifests.filter(({ metadata }) => metadata.name === 'web')
    const seen = await findings(proofs.slice(1), { objects: onePod })
    expect(seen.map(({ verdict }) => verdict)).toEqual(proofs.slice(1).map(() => 'not-shown'))
  })
})

describe('a simulated cluster', () => {
  it('sends the same packets, octet for octet, for the same seed, and others for another', {
    timeout: 60_000,
  }, async () => {
    const [first, second, other] = [await capture(7), await capture(7), await capture(8)]
    expect(Buffer.compare(first, second)).toBe(0)
    expect(Buffer.compare(first, other)).not.toBe(0)
  })
})

async function capture(seed: number): Promise<Buffer> {
  const blocks: Uint8Array[] = []
  const file = captureFile((block) => blocks.push(block), { application: 'test' })
  const choice = { network: flannel(), plugins: shippedPlugins }
  await prove(manifests, choice, [noNat, namesFollowPods], {
    seed,
    output: quiet,
    onHop: (hop) => void file.add(hop),
  })
  return Buffer.concat(blocks)
}

function withoutGrace(object: KubeObject): KubeObject {
  if (object.kind !== 'Deployment') return object
  const { template } = object.spec
  const spec = { ...template.spec, terminationGracePeriodSeconds: 0 }
  return { ...object, spec: { ...object.spec, template: { ...template, spec } } }
}
