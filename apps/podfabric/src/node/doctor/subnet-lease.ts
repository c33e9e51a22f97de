import { access } from 'node:fs/promises'
import { type Check, error, type Finding, orOk } from './check.ts'

/** A node has no part of a flannel network before its agent leased one; Flannel's own plugin reads its from a file. */
export const subnetLease: Check = {
  id: 'subnet-lease',
  title: 'the node has its part of each network',
  async run({ networks, files, agent }) {
    const problems: Finding[] = networks
      .filter(({ leased }) => leased === false)
      .map(({ name }) =>
        error(
          `network ${name}: no subnet is leased to this node; ADD is refused until then`,
          agent.listening
            ? 'see what the agent says of this network'
            : 'start podfabric agent, which leases one',
        ),
      )
    for (const { path, list } of files) {
      for (const plugin of list?.plugins ?? []) {
        // A list for Flannel's own plugin: ours has the key network.
        if (plugin.type !== 'flannel' || plugin.network !== undefined) continue
        const file = typeof plugin.subnetFile === 'string' ? plugin.subnetFile : '/run/flannel/subnet.env'
        await access(file).catch(() => {
          problems.push(
            error(
              `${path}: there is no ${file}`,
              'start flanneld, which writes it; or install our plugin and write "network"',
            ),
          )
        })
      }
    }
    const leasing = networks.filter(({ leased }) => leased !== undefined)
    return orOk(problems, leasing.length === 0 ? 'no network leases one' : 'each network leased one')
  },
}
