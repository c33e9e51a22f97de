import type { Kernel, Prefix, Resource } from '@podfabric/cni'
import { CniError, codeOf, onNode } from '@podfabric/cni'
import { type Nft, type NftCommand, type NftFamily, ownedAlias } from '@podfabric/kernel'
import { prefixFamily } from '@podfabric/netaddr'

const families = ['ip', 'ip6'] as const

/**
 * Packets of the network's subnets that leave by another link than the bridge carry the node's address. One chain and
 * set for each subnet, in a table of the network's own: how many containers there are makes no difference, and nothing of one
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
            // Where the set is, the rule is. To the kernel this is nothing new, and costs nothing: a transaction that it
            // refuses because something is there already would wait for all processors.
            await nft.apply([within(network, bridge, subnet)])
          } catch (error) {
            if (codeOf(error) !== 'ENOENT') throw error
            await make(nft, network, bridge, subnet)
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

async function make(nft: Nft, network: string, bridge: string, subnet: Prefix): Promise<void> {
  try {
    await nft.apply(commandsFor(network, bridge, subnet))
  } catch (error) {
    // The chain is created, not added: another call made it meanwhile, and its rule.
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

/** The bridge, among the links by which the subnet's packets stay within the network. */
function within(network: string, bridge: string, subnet: Prefix): NftCommand {
  const at = { family: familyOf(subnet), table: tableName(network) } as const
  return { verb: 'add', object: { kind: 'elements', ...at, set: chainName(subnet), elements: [bridge] } }
}

function commandsFor(network: string, bridge: string, subnet: Prefix): readonly NftCommand[] {
  const family = familyOf(subnet)
  const at = { family, table: tableName(network) } as const
  const chain = chainName(subnet)
  return [
    { verb: 'add', object: table(family, network) },
    { verb: 'add', object: { kind: 'set', ...at, name: chain, type: 'ifname' } },
    within(network, bridge, subnet),
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
          { match: 'oifname', op: '!=', value: { set: chain } },
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

function familyOf(subnet: Prefix): 'ip' | 'ip6' {
  return prefixFamily(subnet) === 4 ? 'ip' : 'ip6'
}

/** Of the chain and of its set. Colons have no place in a name of nftables. */
function chainName(subnet: Prefix): string {
  return `masquerade-${subnet.replaceAll(':', '_').replace('/', '-')}`
}
