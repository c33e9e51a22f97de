import { type SysctlFate, sysctlFate } from '@podfabric/agent'
import { bootOfMachine } from '@podfabric/agent/exec'
import { settingOf } from '../restore-sysctls.ts'
import { type Check, type Finding, ok, orOk, unknown, warning } from './check.ts'

/** Which settings of the node are so because of us, and what they would be without. */
export const settings: Check = {
  id: 'settings',
  title: 'what we changed of the node’s settings',
  async run({ kernel, hidden, state: { sysctls, attachments, damage }, networks }) {
    if (kernel === undefined) return [unknown(`not looked at: ${hidden}`)]
    if (damage !== undefined) return [unknown('without the state it is not known what they were before us')]
    const here = { boot: bootOfMachine(), netns: kernel.netns.host.id }
    const wanting = new Set([
      ...attachments.map(({ network }) => network),
      ...networks.map(({ name }) => name),
    ])
    const host = kernel.in(kernel.netns.host)
    const findings: Finding[] = sysctls.unreadable.map((key) =>
      warning(
        `${key} cannot be read: podfabric clean will leave that setting`,
        'set it by hand after podfabric clean',
      ),
    )
    try {
      for (const record of sysctls.records) {
        const { name, before, wrote, wantedBy } = record
        const current = await settingOf(host, name)
        const fate: SysctlFate = sysctlFate(record, here, current)
        const owners = wantedBy.join(', ')
        if (fate === 'theirs') {
          findings.push(
            ok(`${name} is ${current}: somebody else changed it after network ${owners} made it ${wrote}`),
          )
        }
        if (fate !== 'restore') continue
        const text = `${name} is ${current} because of network ${owners}; it was ${before} before`
        if (wantedBy.some((network) => wanting.has(network))) findings.push(ok(text))
        else
          findings.push(
            warning(`${text}, and nothing is left of those`, `podfabric clean makes it ${before} again`),
          )
      }
    } finally {
      await host[Symbol.asyncDispose]()
    }
    return orOk(findings, 'none is other than it was before us')
  },
}
