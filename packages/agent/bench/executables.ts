// ADD and DEL as a container runtime makes them: an executable, started for each call. The thin client and the agent, the
// fallback, and Debian's Go plugins, alike and alternating in one run. Needs root, ip, and /usr/lib/cni; run it with
// `unshare -nm node --conditions=@podfabric/source bench/executables.ts [rounds]`, after a build.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installExecutable, thinClient } from '@podfabric/agent/exec'

const rounds = Number(process.argv[2] ?? 60)
const folder = mkdtempSync(join(tmpdir(), 'podfabric-bench-'))
const go = '/usr/lib/cni'
const ours = join(folder, 'bin')
const packages = fileURLToPath(new URL('../..', import.meta.url))
const client = await thinClient()
if (client === undefined)
  throw new Error('the thin client is not built; run the build, with a C compiler there')
if (!existsSync(`${go}/bridge`)) throw new Error(`there is no ${go}/bridge to compare with`)
mkdirSync(ours)
mkdirSync('/run/netns', { recursive: true })

const socket = join(folder, 'agent.sock')
for (const type of ['bridge', 'host-local']) {
  const script = join(packages, `plugin-${type}/dist/bin.js`)
  await installExecutable({
    path: join(ours, type),
    socket,
    state: join(folder, 'state'),
    node: process.execPath,
    script,
    client,
  })
}
const program = fileURLToPath(new URL('./agent.ts', import.meta.url))
const env = { ...process.env, PODFABRIC_AGENT: socket, PODFABRIC_STATE: join(folder, 'state') }
const agent = spawn(process.execPath, ['--conditions=@podfabric/source', program], {
  env,
  stdio: ['pipe', 'pipe', 'inherit'],
})
await new Promise((resolve) => agent.stdout.once('data', resolve))

const config = (name: string, bridge: string, subnet: string) =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name,
    type: 'bridge',
    bridge,
    isGateway: true,
    ipam: { type: 'host-local', dataDir: join(folder, 'addresses'), ranges: [[{ subnet }]] },
  })
const subjects = {
  agent: { path: ours, stdin: config('thin', 'pfxb0', '10.90.0.0/16'), socket },
  fallback: { path: ours, stdin: config('fall', 'pfxb1', '10.91.0.0/16'), socket: '/nowhere/agent.sock' },
  go: { path: go, stdin: config('gogo', 'pfxb2', '10.92.0.0/16'), socket },
}
const times = new Map<string, number[]>()

function call(name: keyof typeof subjects, command: string, id: string, netns: string, count: boolean): void {
  const { path, stdin, socket: at } = subjects[name]
  const began = performance.now()
  const { status, stdout, stderr } = spawnSync(join(path, 'bridge'), {
    input: stdin,
    encoding: 'utf8',
    env: {
      ...env,
      PODFABRIC_AGENT: at,
      CNI_COMMAND: command,
      CNI_CONTAINERID: id,
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: path,
    },
  })
  const took = performance.now() - began
  if (status !== 0) throw new Error(`${name} ${command}: ${stdout}${stderr}`)
  if (!count) return
  const key = `${command} ${name}`
  times.set(key, [...(times.get(key) ?? []), took])
}

try {
  for (let i = 0; i < rounds + 3; i++) {
    for (const name of ['agent', 'go', ...(i % 6 === 3 ? ['fallback'] : [])] as (keyof typeof subjects)[]) {
      const netns = `pfxbench-${name}-${i}`
      spawnSync('ip', ['netns', 'add', netns])
      for (const command of ['ADD', 'DEL']) call(name, command, netns, `/run/netns/${netns}`, i >= 3)
      spawnSync('ip', ['netns', 'delete', netns])
    }
  }
  const at = (list: readonly number[], part: number) =>
    list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * part))] ?? Number.NaN
  for (const command of ['ADD', 'DEL']) {
    const reference = times.get(`${command} go`) ?? []
    for (const name of Object.keys(subjects)) {
      const list = times.get(`${command} ${name}`) ?? []
      const [p50, p99] = [at(list, 0.5), at(list, 0.99)]
      const ratios = [at(reference, 0.5) / p50, at(reference, 0.99) / p99].map(
        (ratio) => `${ratio.toFixed(2)}x`,
      )
      console.log(
        `${command} ${name}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, Go's over it ${ratios.join(' and ')} (${list.length} calls)`,
      )
    }
  }
} finally {
  agent.stdin.end()
  await new Promise((resolve) => agent.once('close', resolve))
  rmSync(folder, { recursive: true, force: true })
}
