import type { Kernel, Prefix, Resource } from '@podfabric/cni'
import { CniError, codeOf, onNode } from '@podfabric/cni'
import { type NftCommand, type NftFamily, ownedAlias } from '@podfabric/kernel'
import { prefixFamily } from '@podfabric/netaddr'

const families = ['ip', 'ip6'] as const

/**
 * Packets of the network's subnets that leave by another link than the bridge carry the node's address. One chain for each
 * subnet, in a table of the network's own: how many containers there are makes no difference, and nothing of one
 * container has to be found again.
 */
export function masquerade(
  kernel: Kernel,
  network: string,
  bridge: string,
  subnets: () => readonly Prefix[],
): Resource {
  return {
    name: 'masquerading',
    ensure: () =>
      onNode(kernel, async ({ nft }) => {
        for (const subnet of subnets()) {
          try {
            await nft.apply(commandsFor(network, bridge, subnet))
          } catch (error) {
            // The chain is created, not added: where it is, its rule is.
            if (codeOf(error) !== 'EEXIST') throw error
          }
        }
      }),
    verify: () =>
      onNode(kernel, async ({ nft }) => {
        const objects = await nft.list()
        for (const subnet of subnets()) {
          const chain = chainName(subnet)
          const found = objects.some(
            (each) => each.kind === 'rule' && each.table === tableName(network) && each.chain === chain,
          )
          if (!found) throw new CniError('CNI_CHECK_FAILED', `the rule for ${subnet} is missing`)
        }
      }),
    // It goes with the network's last container.
    remove: async () => undefined,
  }
}

/** Takes the network's tables away. */
export async function removeMasquerade(kernel: Kernel, network: string): Promise<void> {
  await onNode(kernel, async ({ nft }) => {
    for (const family of families) {
      try {
        await nft.apply([{ verb: 'delete', object: table(family, network) }])
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
      }
    }
  })
}

function commandsFor(network: string, bridge: string, subnet: Prefix): readonly NftCommand[] {
  const family = prefixFamily(subnet) === 4 ? 'ip' : 'ip6'
  const at = { family, table: tableName(network) } as const
  const chain = chainName(subnet)
  return [
    { verb: 'add', object: table(family, network) },
    {
      verb: 'create',
      object: {
        kind: 'chain',
        ...at,
        name: chain,
        base: { type: 'nat', hook: 'postrouting', priority: 100 },
      },
    },
    {
      verb: 'add',
      object: {
        kind: 'rule',
        ...at,
        chain,
        expressions: [
          { match: family === 'ip' ? 'ip saddr' : 'ip6 saddr', value: subnet },
          { match: 'oifname', op: '!=', value: bridge },
          {
            match: family === 'ip' ? 'ip daddr' : 'ip6 daddr',
            op: '!=',
            value: family === 'ip' ? '224.0.0.0/4' : 'ff00::/8',
          },
          { masquerade: {} },
        ],
        comment: ownedAlias(`bridge/${network}`).slice(0, 128),
      },
    },
  ]
}

function table(family: NftFamily, network: string) {
  return { kind: 'table', family, name: tableName(network) } as const
}

function tableName(network: string): string {
  return `podfabric-bridge-${network}`
}

/** Colons have no place in a name of nftables. */
function chainName(subnet: Prefix): string {
  return `masquerade-${subnet.replaceAll(':', '_').replace('/', '-')}`
}
