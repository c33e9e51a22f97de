import { existsSync } from 'node:fs'
import { ownership } from '@podfabric/kernel'
import { ownedIn } from '../host-tables.ts'
import { type Check, type Finding, orOk, unknown, warning } from './check.ts'

/** What carries our mark and no recorded attachment owns, and attachments whose container is gone. */
export const leftovers: Check = {
  id: 'leftovers',
  title: 'nothing is left of what is gone',
  run({ host, hidden, networks, state }) {
    if (host === undefined) return [unknown(`not looked at: ${hidden}`)]
    if (state.damage !== undefined) return [unknown('without the state nothing can be told from a leftover')]
    const recorded = new Set(
      state.attachments.map(({ network, containerId, ifName }) => `${network}/${containerId}/${ifName}`),
    )
    const attached = new Set(state.attachments.map(({ network }) => network))
    const { links, tables, routes, rules } = ownedIn(host)
    const left: string[] = []
    for (const { name, alias = '' } of links) {
      const [plugin = '', network = '', ...id] = alias.slice(ownership.mark.length + 1).split('/')
      if (plugin === 'bridge' && id.length > 0) {
        if (!recorded.has(`${network}/${id.join('/')}`)) left.push(`link ${name} (${alias})`)
      } else if (plugin === 'bridge' && !attached.has(network)) left.push(`bridge ${name} (${alias})`)
      else if (network === '' && !networks.some(({ tunnel }) => tunnel === name))
        left.push(`link ${name} (${alias})`)
    }
    for (const { family, name } of tables) {
      const owner =
        host.nft?.rules.find((rule) => rule.family === family && rule.table === name)?.comment ?? ''
      const [, network = ''] = owner.split('/')
      if (!attached.has(network)) left.push(`nftables table ${family} ${name}`)
    }
    if (!networks.some(({ type }) => type === 'flannel')) {
      left.push(...routes.map(({ destination, link }) => `route to ${destination} dev ${link}`))
      left.push(...rules.map(({ priority }) => `rule of priority ${priority}`))
    }
    const clean =
      'podfabric clean --dry-run lists all that is ours; end the agent, then podfabric clean removes it'
    const problems: Finding[] = left.map((what) => warning(`${what} belongs to no attachment`, clean))
    return orOk(
      [...problems, ...withoutContainer(state.attachments)],
      'all that is ours belongs to an attachment',
    )
  },
}

function withoutContainer(
  attachments: readonly { network: string; containerId: string; netns: string | undefined }[],
) {
  const gone = attachments.filter(({ netns }) => netns !== undefined && !existsSync(netns))
  const names = new Set(
    gone.map(({ network, containerId }) => `network ${network}, container ${containerId}`),
  )
  return [...names].map((name) =>
    warning(
      `${name}: its namespace is gone, and its addresses are still held`,
      'the runtime’s DEL or GC gives them back; without a runtime that knows it, podfabric clean',
    ),
  )
}
