import {
  type AttachmentId,
  CniError,
  codeOf,
  inSandbox,
  type Kernel,
  linkName,
  type Namespace,
  onNode,
  type Resource,
  type ResultInterface,
} from '@podfabric/cni'
import { ownedAlias } from '@podfabric/kernel'
import type { BridgeConfig } from './config.ts'

/** A veth pair: one end a port of the bridge, the other the container's interface. */
export interface VethPair extends Resource {
  /** Both ends as the result tells them, the node's first; there once it was ensured. */
  readonly interfaces: readonly ResultInterface[]
}

export function hostLinkName(network: string, id: AttachmentId): string {
  return linkName('veth', network, id)
}

export function hostLinkAlias(network: string, { containerId, ifName }: AttachmentId): string {
  return ownedAlias(`bridge/${network}/${containerId}/${ifName}`)
}

/** Takes away the network's pairs that are not among those to keep, whether anything is recorded about them or not. */
export async function sweepPairs(
  kernel: Kernel,
  network: string,
  keep: readonly AttachmentId[],
): Promise<void> {
  const kept = new Set(keep.map((id) => hostLinkAlias(network, id)))
  await onNode(kernel, async (node) => {
    const stale = (await node.links.list()).filter(
      ({ kind, alias }) =>
        kind === 'veth' && alias?.startsWith(ownedAlias(`bridge/${network}/`)) && !kept.has(alias),
    )
    for (const { name } of stale) await deleteLink(node, name)
  })
}

async function deleteLink(node: Namespace, name: string): Promise<void> {
  try {
    await node.links.delete(name)
  } catch (error) {
    if (codeOf(error) !== 'ENODEV') throw error
  }
}

export function vethPair(
  kernel: Kernel,
  network: string,
  attachment: AttachmentId & { readonly netns?: string },
  {
    bridge,
    mtu,
    mac,
    hairpinMode: hairpin,
    portIsolation: isolated,
    disableContainerInterface: down,
  }: BridgeConfig,
): VethPair {
  const { ifName, netns: path = '' } = attachment
  const name = hostLinkName(network, attachment)
  const alias = hostLinkAlias(network, attachment)
  const size = mtu === undefined ? {} : { mtu }
  let interfaces: readonly ResultInterface[] = []

  return {
    name: `veth pair ${name}`,
    get interfaces() {
      return interfaces
    },
    ensure: () =>
      inSandbox(kernel, path, (sandbox, netns) =>
        onNode(kernel, async (node) => {
          const peer = { name: ifName, netns, ...(mac && { mac }), ...size }
          try {
            await node.links.add({ kind: 'veth', name, alias, bridge, up: true, peer, ...size })
          } catch (error) {
            throw codeOf(error) === 'EXFULL' ? full(bridge, error) : error
          }
          if (hairpin || isolated) await node.links.set(name, { port: { hairpin, isolated } })
          const inside = await sandbox.links.get(ifName)
          const outside = await node.links.get(name)
          interfaces = [
            { name, mac: outside.mac, mtu: outside.mtu },
            { name: ifName, mac: inside.mac, mtu: inside.mtu, sandbox: path },
          ]
        }),
      ),
    verify: () =>
      inSandbox(kernel, path, (sandbox) =>
        onNode(kernel, async (node) => {
          const outside = await node.links.get(name)
          const inside = await sandbox.links.get(ifName)
          if (outside.kind !== 'veth' || inside.kind !== 'veth' || outside.peerIndex !== inside.index) {
            throw new CniError('CNI_CHECK_FAILED', `${name} and ${ifName} of the container are not a pair`)
          }
          for (const link of [outside, inside]) {
            if (!link.up && !(down && link === inside))
              throw new CniError('CNI_CHECK_FAILED', `${link.name} is down`)
          }
          if (outside.port?.bridge !== bridge) {
            const found = outside.port ? `a port of ${outside.port.bridge}` : 'no port of a bridge'
            throw new CniError('CNI_CHECK_FAILED', `${name} is ${found}, not of ${bridge}`)
          }
          if (outside.port.hairpin !== hairpin || outside.port.isolated !== isolated) {
            throw new CniError(
              'CNI_CHECK_FAILED',
              `${name} has other hairpin or isolation settings than configured`,
            )
          }
        }),
      ),
    remove: () =>
      onNode(kernel, async (node) => {
        try {
          const link = await node.links.get(name)
          // A pair that was made but not yet marked has no alias; another's alias says that it is not ours.
          if (link.kind !== 'veth' || (link.alias !== undefined && link.alias !== alias)) return
          // The other end goes with it, in whichever namespace it is.
          await deleteLink(node, name)
        } catch (error) {
          if (codeOf(error) !== 'ENODEV') throw error
        }
      }),
  }
}

/** Linux: BR_MAX_PORTS, 1 << 10, and no port has the number 0. */
const mostPorts = 1023

function full(bridge: string, cause: unknown): CniError {
  return new CniError(
    'CNI_KERNEL',
    `the bridge ${bridge} has ${mostPorts} ports, and Linux gives it no more`,
    {
      cause,
      details:
        'remove containers, let fewer pods be on the node (maxPods), or spread them over networks with a bridge each',
    },
  )
}
