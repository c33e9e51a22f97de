import { listen, nodeAgent, socketPathFrom } from '@podfabric/agent/exec'
import { lineLog } from '../log.ts'
import type { Output } from '../output.ts'
import { ourNetworkLists } from './network-lists.ts'
import { nodePlugins } from './node-plugins.ts'

/**
 * The node's agent: serves the calls of the installed executables and runs the controllers of the networks that the folder
 * lists, until SIGTERM or SIGINT. Calls under way are seen through; the pods' network stays as it is.
 */
export async function runAgent(options: Readonly<Record<string, unknown>>, output: Output): Promise<number> {
  const log = lineLog((line) => output.note(line), 'info')
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
  const hosting = await nodeAgent({ plugins: nodePlugins, log })
  try {
    const lists = await ourNetworkLists(String(options.confDir), log)
    const socket = await listen(socketPathFrom(process.env), (call, { signal }) =>
      hosting.serve(call, { signal }),
    )
    try {
      // One network that does not come up is no reason to leave the others without their agent.
      for (const list of lists) {
        await hosting
          .start(list)
          .catch((error: unknown) => log.error('a network did not start', { network: list.name, error }))
      }
      output.line(`listening at ${socket.path}`)
      await told
    } finally {
      await socket.close()
    }
  } finally {
    await hosting[Symbol.asyncDispose]()
  }
  return 0
}
