// ADD and DEL as a container runtime makes them: an executable, started for each call. The thin client and the agent, the
// fallback, and Debian's Go plugins, alike and alternating in one run. Needs root, ip, and /usr/lib/cni; run it with
// `unshare -nm node --conditions=@podfabric/source bench/executables.ts [rounds]`, after a build.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installExecutable, thinClient } from '@podfabric/agent/exec'
import { peers, quantile } from '../../kernel-linux/bench/peers.ts'

const rounds = Number(process.argv[2] ?? 20)
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
  // As the launcher of the agent has it.
  env: { ...env, UV_THREADPOOL_SIZE: '32' },
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
const { executed } = peers(folder)
const times = new Map<string, number[]>()

function call(
  name: keyof typeof subjects,
  command: 'ADD' | 'DEL',
  ids: readonly string[],
  count: boolean,
): void {
  const { path, stdin, socket: at } = subjects[name]
  const variables = { PODFABRIC_AGENT: at, PODFABRIC_STATE: join(folder, 'state') }
  const calls = ids.map((containerId) => ({ containerId, netns: `/run/netns/${containerId}` }))
  const took = executed({ path: join(path, 'bridge'), stdin, env: variables }, command, calls)
  if (!count) return
  const key = `${command} ${name}`
  times.set(key, [...(times.get(key) ?? []), ...took])
}

/** Of all the agent's threads, in milliseconds. */
function agentCpu(): number {
  const stat = readFileSync(`/proc/${agent.pid}/stat`, 'latin1')
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (user + system) * 10
}

/** Several pods at a time, attached one after the other, then detached so. */
const perRound = 5
try {
  // A node has pods: what the first and the last one of a network cost besides is another matter.
  const resident = Object.keys(subjects).map((name) => `pfxbench-${name}-stays`)
  for (const id of resident) spawnSync('ip', ['netns', 'add', id])
  for (const [i, name] of (Object.keys(subjects) as (keyof typeof subjects)[]).entries()) {
    call(name, 'ADD', [resident[i] ?? ''], false)
  }
  let spent = 0
  for (let i = 0; i < rounds + 3; i++) {
    for (const name of ['agent', 'go', ...(i % 6 === 3 ? ['fallback'] : [])] as (keyof typeof subjects)[]) {
      const ids = Array.from(
        { length: name === 'fallback' ? 1 : perRound },
        (_, at) => `pfxbench-${name}-${i}-${at}`,
      )
      for (const id of ids) spawnSync('ip', ['netns', 'add', id])
      const before = agentCpu()
      for (const command of ['ADD', 'DEL'] as const) call(name, command, ids, i >= 3)
      if (name === 'agent' && i >= 3) spent += agentCpu() - before
      for (const id of ids) spawnSync('ip', ['netns', 'delete', id])
    }
  }
  for (const [i, name] of (Object.keys(subjects) as (keyof typeof subjects)[]).entries()) {
    call(name, 'DEL', [resident[i] ?? ''], false)
    spawnSync('ip', ['netns', 'delete', resident[i] ?? ''])
  }
  for (const command of ['ADD', 'DEL']) {
    const reference = times.get(`${command} go`) ?? []
    for (const name of Object.keys(subjects)) {
      const list = times.get(`${command} ${name}`) ?? []
      const [p50, p99] = [quantile(list, 0.5), quantile(list, 0.99)]
      const ratios = [quantile(reference, 0.5) / p50, quantile(reference, 0.99) / p99].map(
        (ratio) => `${ratio.toFixed(2)}x`,
      )
      console.log(
        `${command} ${name}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, Go's over it ${ratios.join(' and ')} (${list.length} calls)`,
      )
    }
  }
  console.log(
    `the agent's processor time for one ADD and one DEL: ${(spent / (rounds * perRound)).toFixed(2)} ms`,
  )
  const memory = readFileSync(`/proc/${agent.pid}/status`, 'latin1').match(/VmRSS:\s*(\d+)/)
  console.log(`the agent's resident memory: ${(Number(memory?.[1]) / 1024).toFixed(0)} MiB`)
} finally {
  agent.stdin.end()
  await new Promise((resolve) => agent.once('close', resolve))
  rmSync(folder, { recursive: true, force: true })
}
