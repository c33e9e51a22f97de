// TCP throughput between pods on two nodes over VXLAN: a cluster on this machine's kernel beside the same topology made by
// hand with `ip` (no alias, mark or controller of ours), in one run, alternating. The ratio is the median of those of
// neighboring runs, for what else the machine does changes slowly; single pairs still differ by half on a busy one. Goal: within
// 3 %. Needs root and iperf3. Everything is in namespaces of its own.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readManifests } from '@podfabric/kube'
import { linuxLab } from '../src/lab/linux-lab.ts'
import { choosePlugins } from '../src/plugins.ts'

const ROUNDS = 11
const SECONDS = 2
const GOAL = 0.97

interface Pair {
  readonly name: string
  /** Paths of the pods' namespaces. */
  readonly client: string
  readonly server: string
  readonly address: string
}

const say = (line: string) => void process.stdout.write(`${line}\n`)
const log = { debug() {}, info() {}, warn: (line: string) => say(line), error: (line: string) => say(line) }
const ip = (line: string) => execFileSync('ip', line.split(' '), { encoding: 'utf8' })
const inside = (path: string, words: readonly string[]) => [`--net=${path}`, ...words]

const pods = ['node-1', 'node-2'].map(
  (node, index) => `
apiVersion: v1
kind: Pod
metadata: { name: pod-${index + 1} }
spec: { nodeName: ${node}, terminationGracePeriodSeconds: 0, containers: [{ name: c }] }`,
)

/** Megabits per second that arrived. */
async function measure({ client, server, address }: Pair): Promise<number> {
  const listener = spawn('nsenter', inside(server, ['iperf3', '-s', '-1', '-p', '5999', '--forceflush']))
  const ended = once(listener, 'close')
  try {
    await once(listener.stdout, 'data')
    const words = ['iperf3', '-c', address, '-p', '5999', '-t', String(SECONDS), '-O', '1', '-J']
    const { end } = JSON.parse(execFileSync('nsenter', inside(client, words), { encoding: 'utf8' }))
    return end.sum_received.bits_per_second / 1e6
  } finally {
    listener.kill()
    await ended
  }
}

const prefix = `vxb${process.pid}`
const nodeNames = [1, 2].map((n) => `${prefix}n${n}`)
const podNames = [1, 2].map((n) => `${prefix}p${n}`)
const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02']

/** As flannel makes it: bridge, veth pairs, a VXLAN device without learning, one route, neighbor and fdb entry for the peer. */
function byHand(): Pair {
  for (const name of [`${prefix}w`, ...nodeNames, ...podNames]) ip(`netns add ${name}`)
  ip(`-n ${prefix}w link add wire up type bridge`)
  for (const [index, node] of nodeNames.entries()) {
    const [n, peer] = [index + 1, 2 - index]
    const at = `-n ${node}`
    execFileSync('ip', ['netns', 'exec', node, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'])
    ip(`-n ${prefix}w link add port${n} up master wire type veth peer name eth0 netns ${node}`)
    ip(`${at} link set eth0 up`)
    ip(`${at} addr add 192.168.50.${n}/24 dev eth0`)
    const tunnel = `id 1 local 192.168.50.${n} dev eth0 dstport 8472 nolearning`
    ip(`${at} link add flannel.1 address ${macs[index]} mtu 1450 up type vxlan ${tunnel}`)
    ip(`${at} addr add 10.244.${n}.0/32 dev flannel.1`)
    ip(`${at} link add cni0 mtu 1450 up type bridge`)
    ip(`${at} addr add 10.244.${n}.1/24 dev cni0`)
    ip(
      `${at} link add veth0 mtu 1450 up master cni0 type veth peer name eth0 mtu 1450 netns ${podNames[index]}`,
    )
    ip(`${at} link set veth0 type bridge_slave hairpin on`)
    ip(`-n ${podNames[index]} link set eth0 up`)
    ip(`-n ${podNames[index]} addr add 10.244.${n}.2/24 dev eth0`)
    ip(`-n ${podNames[index]} route add default via 10.244.${n}.1`)
    ip(`${at} route add 10.244.${peer}.0/24 via 10.244.${peer}.0 dev flannel.1 onlink`)
    ip(`${at} neigh add 10.244.${peer}.0 lladdr ${macs[peer - 1]} dev flannel.1 nud permanent`)
    const entry = [
      '-n',
      node,
      'fdb',
      'add',
      `${macs[peer - 1]}`,
      'dev',
      'flannel.1',
      'dst',
      `192.168.50.${peer}`,
    ]
    execFileSync('bridge', entry)
  }
  const [client = '', server = ''] = podNames.map((name) => `/run/netns/${name}`)
  return { name: 'by hand', client, server, address: '10.244.2.2' }
}

function removeByHand(): void {
  const there = ip('netns list')
    .split('\n')
    .map((line) => line.split(' ')[0])
  for (const name of [`${prefix}w`, ...nodeNames, ...podNames])
    if (there.includes(name)) ip(`netns delete ${name}`)
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const folder = mkdtempSync(join(tmpdir(), 'vxlan-bench-'))
try {
  const choice = await choosePlugins({ plugin: 'flannel', folder })
  const lab = await linuxLab({ choice, log, nodes: 2, folder: join(folder, 'linux') })
  try {
    lab.cluster.apply(readManifests(pods.join('\n---'), { file: 'pods' }).objects.map(({ object }) => object))
    await lab.cluster.settled({ timeout: 30_000 })
    const [one, two] = ['pod-1', 'pod-2'].map((name) => lab.cluster.pod(name).sandbox)
    if (!one || !two) throw new Error('a pod is missing')
    const address = two.addresses[0] ?? ''
    const ours: Pair = { name: 'podfabric', client: one.netns.path, server: two.netns.path, address }
    const pairs = [byHand(), ours]
    const rates = new Map<string, number[]>(pairs.map(({ name }) => [name, []]))
    for (let round = 0; round < ROUNDS; round++) {
      for (const pair of round % 2 === 0 ? pairs : pairs.toReversed()) {
        rates.get(pair.name)?.push(await measure(pair))
      }
    }
    for (const [name, each] of rates) {
      const all = each.map((rate) => rate.toFixed(0)).join(' ')
      say(`${name.padEnd(10)} median ${median(each).toFixed(0)} Mbit/s of ${all}`)
    }
    const hand = rates.get('by hand') ?? []
    const ratios = (rates.get('podfabric') ?? []).map((rate, round) => rate / (hand[round] ?? Number.NaN))
    const ratio = median(ratios)
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
    say(`podfabric / by hand: ${ratio.toFixed(3)}, single pairs ${spread} (goal: at least ${GOAL})`)
    if (ratio < GOAL) process.exitCode = 1
  } finally {
    await lab.close()
  }
} finally {
  removeByHand()
  rmSync(folder, { recursive: true, force: true })
}
