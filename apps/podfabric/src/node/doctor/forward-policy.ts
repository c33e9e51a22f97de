import { readFile } from 'node:fs/promises'
import type { NftTables } from '../host-tables.ts'
import { isMissing } from '../is-missing.ts'
import { type Check, error, type Finding, ok, orOk, unknown, warning } from './check.ts'
import type { PodNetwork } from './pod-network.ts'

const calls = { ip: 'bridge-nf-call-iptables', ip6: 'bridge-nf-call-ip6tables' } as const

/** Other software's firewall that drops what is forwarded; with bridge-nf even what stays on one bridge. */
export const forwardPolicy: Check = {
  id: 'forward-policy',
  title: 'no firewall drops what is forwarded',
  async run({ host, hidden, networks, setting }) {
    if (host === undefined) return [unknown(`not looked at: ${hidden}`)]
    if (networks.length === 0) return [ok('no network of ours is concerned')]
    if (host.nft === undefined)
      return [unknown('the kernel has no nftables, and another firewall is not looked at')]
    const problems: Finding[] = []
    for (const family of ['ip', 'ip6'] as const) {
      const chain = host.nft.chains.find(
        ({ base, family: of }) =>
          base?.type === 'filter' &&
          base.hook === 'forward' &&
          base.policy === 'drop' &&
          (of === family || of === 'inet'),
      )
      if (chain === undefined) continue
      const concerned = networks.filter(({ families }) => families.includes(family === 'ip' ? 4 : 6))
      const left = concerned.filter((network) => !names(host.nft as NftTables, chain.table, network))
      if (left.length === 0) continue
      const where = `table ${chain.family} ${chain.table}, chain ${chain.name}, has policy drop, and no rule there names`
      const which = left.map(({ bridge, name }) => `bridge ${bridge} of network ${name}`).join(' or ')
      const fix = `accept it there: nft insert rule ${chain.family} ${chain.table} ${chain.name} iifname ${left[0]?.bridge} accept, and the same with oifname`
      const onBridge = (await setting(`net/bridge/${calls[family]}`)) === '1'
      problems.push(
        onBridge
          ? error(
              `${where} ${which}; ${calls[family]} is 1, so pods on one bridge do not reach each other`,
              `${fix}; or sysctl -w net.bridge.${calls[family]}=0`,
            )
          : warning(`${where} ${which}: pods may not reach other nodes`, fix),
      )
    }
    if (await hasLegacyTables())
      problems.push(
        unknown(
          'the kernel also has tables of the old iptables, which are not read here: see iptables-legacy -S FORWARD',
        ),
      )
    return orOk(problems, 'what is forwarded is accepted by default')
  },
}

function names({ rules }: NftTables, table: string, { bridge, subnets }: PodNetwork): boolean {
  return rules
    .filter((rule) => rule.table === table)
    .some(({ expressions }) => {
      const text = JSON.stringify(expressions)
      return [bridge, ...subnets].some((each) => text.includes(JSON.stringify(each)))
    })
}

async function hasLegacyTables(): Promise<boolean> {
  for (const file of ['/proc/net/ip_tables_names', '/proc/net/ip6_tables_names']) {
    try {
      if ((await readFile(file, 'utf8')).split('\n').includes('filter')) return true
    } catch (missing) {
      if (!isMissing(missing)) throw missing
    }
  }
  return false
}
