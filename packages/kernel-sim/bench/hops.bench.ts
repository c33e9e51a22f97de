// A datagram between pods of two nodes over VXLAN takes eight hops: veth, bridge, route, encapsulation, underlay,
// decapsulation, bridge, veth. Ours does what a kernel does on the way (neighbors, rules, checksums, sockets); the
// reference does the hops only.
import { compare } from '../../netaddr/bench/ratio.ts'
import { seededRandom } from '../src/random.ts'
import { type BenchPod, buildCluster, sendDatagram } from './cluster.ts'
import { referenceCluster } from './reference.ts'

const HOPS = 8
const collect = (globalThis as { gc?: () => void }).gc

function memory(): number {
  collect?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

for (const [nodes, podsPerNode] of [
  [2, 2],
  [12, 30],
  [40, 30],
] as const) {
  const before = memory()
  const started = process.cpuUsage()
  const pods = await buildCluster(nodes, podsPerNode)
  const { user, system } = process.cpuUsage(started)
  const octets = (memory() - before) / pods.length
  const reference = referenceCluster(nodes, podsPerNode)
  const pairs = randomPairs(pods)
  // Neighbors are asked for once: that is no hop.
  for (let i = 0; i < pairs.length; i += 2) {
    sendDatagram(pods[pairs[i] as number] as BenchPod, pods[pairs[i + 1] as number] as BenchPod)
  }
  let at = 0
  const next = (): number => {
    at = (at + 2) % pairs.length
    return at
  }
  compare(`${nodes} nodes with ${podsPerNode} pods each: one hop of ${HOPS}, 64 octets`, [
    {
      name: 'kernel-sim',
      run(count) {
        for (let i = 0; i < count; i += HOPS) {
          const pair = next()
          sendDatagram(pods[pairs[pair] as number] as BenchPod, pods[pairs[pair + 1] as number] as BenchPod)
        }
        return pods[0]?.received ?? 0
      },
    },
    {
      name: 'objects, closures, Maps, Buffers; hops only',
      run(count) {
        let arrived = 0
        for (let i = 0; i < count; i += HOPS) {
          const pair = next()
          if (reference.send(pairs[pair] as number, pairs[pair + 1] as number)) arrived++
        }
        if (arrived === 0) throw new Error('nothing arrived')
        return arrived
      },
    },
  ])
  const received = pods.reduce((sum, pod) => sum + pod.received, 0)
  if (received === 0) throw new Error('no datagram arrived')
  const built = (user + system) / 1000 / pods.length
  console.log(
    `  ${Math.round(octets)} octets and ${built.toFixed(2)} ms of CPU for a pod, its share of the node included`,
  )
  console.log(
    `  a namespace and veth pair in Linux take 233000 octets: ours is ${(octets / 233_000).toFixed(3)}x of it`,
  )
}

function randomPairs(pods: readonly BenchPod[]): Uint32Array {
  const random = seededRandom(1)
  const pick = (): number => Math.floor(random() * pods.length)
  const pairs = new Uint32Array(2 * 4096)
  for (let i = 0; i < pairs.length; i += 2) {
    const from = pick()
    let to = pick()
    while (pods[to]?.node === pods[from]?.node) to = pick()
    pairs[i] = from
    pairs[i + 1] = to
  }
  return pairs
}
