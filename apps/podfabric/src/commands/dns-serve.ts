import { responder } from '@podfabric/dns'
import { parseAddressPort } from '../address-port.ts'
import { hostDns } from '../host-dns.ts'
import { createLab } from '../lab/create-lab.ts'
import { settledOrSaid } from '../lab/settled-or-said.ts'
import { lineLog } from '../log.ts'
import { loadManifests } from '../manifests.ts'
import type { Output } from '../output.ts'
import { choosePlugins } from '../plugins.ts'

/** Runs a simulated cluster and answers DNS queries of this machine, UDP and TCP, from its records, until it is interrupted. */
export async function dnsServe(options: Readonly<Record<string, unknown>>, output: Output): Promise<number> {
  const at = parseAddressPort(String(options.listen))
  const objects = await loadManifests(options.file as string[], output)
  const choice = await choosePlugins({ folder: process.cwd() })
  const log = lineLog((line) => output.note(line), 'warn')
  const lab = await createLab({ choice, nodes: Number(options.nodes), seed: Number(options.seed), log })
  try {
    lab.cluster.apply(objects)
    await settledOrSaid(lab, output)
    const server = await hostDns(responder({ zones: [lab.cluster.zone], random: Math.random, log }), at)
    output.note(`answering at ${server.address} port ${server.port}, UDP and TCP; end it with Ctrl-C`)
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    })
    await server.close()
    return 0
  } finally {
    await lab.close()
  }
}
