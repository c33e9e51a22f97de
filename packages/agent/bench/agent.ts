// The agent's process for `executables.ts`: serves until its stdin ends.
import { once } from 'node:events'
import { listen, nodeAgent, socketPathFrom } from '@podfabric/agent/exec'

// Not a dependency of this package: plugins are above it. They are taken from their folders, as built.
const load = async (name: string) =>
  (await import(new URL(`../../plugin-${name}/src/index.ts`, import.meta.url).href)).default
const plugins = { bridge: await load('bridge'), 'host-local': await load('host-local') }
const say = (message: string, facts?: object) =>
  void process.stderr.write(`${message} ${JSON.stringify(facts)}\n`)
const hosting = await nodeAgent({
  plugins,
  log: { debug: () => undefined, info: () => undefined, warn: say, error: say },
})
const socket = await listen(socketPathFrom(process.env), hosting.serve)
process.stdout.write('ready\n')
await once(process.stdin.resume(), 'end')
await socket.close()
await hosting[Symbol.asyncDispose]()
