// What an allocation costs, in CPU time: the index beside other ways to find a free address, and the whole allocation over a
// store in memory, at growing pools and fill. On a busy machine only the ratios mean something.

import { ipv4FromNumber, ipv4ToNumber, parseIpv4, prefix } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import { IPv4CidrRange, IPv4Prefix, Pool } from 'ip-num'
import { FreeMap } from '../src/free-map.ts'
import { type Allocator, allocator } from '../src/index.ts'

const ROUNDS = 7
const base = ipv4ToNumber(parseIpv4('10.0.0.0'))

/** Numbers below `limit` in an order that no cache likes; the same in every run. */
function* numbers(limit: number): Generator<number, never> {
  for (let state = 1; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield Math.floor((state / 2 ** 32) * limit)
  }
}

interface Contender {
  readonly name: string
  readonly count: number
  /** Releases one that is held and takes the next free, `count` times. */
  run(count: number): void | Promise<void>
}

async function compare(title: string, contenders: readonly Contender[]): Promise<void> {
  const times = contenders.map((): number[] => [])
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, { count, run }] of contenders.entries()) {
      const before = process.cpuUsage()
      await run(count)
      const { user, system } = process.cpuUsage(before)
      if (round > 0) times[index]?.push(((user + system) * 1000) / count)
    }
  }
  const medians = times.map((list) => list.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0)
  console.log(title)
  for (const [index, { name }] of contenders.entries()) {
    const own = medians[index] ?? 0
    const ratio = (own / (medians[0] ?? own)).toFixed(2)
    console.log(`  ${name.padEnd(56)}${own.toFixed(0).padStart(9)} ns  ${ratio.padStart(8)}x of the first`)
  }
}

/** A map of `size` positions of which a share is taken, spread evenly. */
function freeMap(name: string, size: number, fill: number): Contender {
  const map = new FreeMap(size)
  const random = numbers(size)
  const held = new Uint32Array(Math.max(1, Math.floor(size * fill)))
  for (let i = 0; i < held.length; i++) {
    const position = map.nextFree(random.next().value)
    map.take(position)
    held[i] = position
  }
  let cursor = 0
  const run = (count: number) => {
    for (let i = 0; i < count; i++) {
      const slot = random.next().value % held.length
      map.release(held[slot] ?? 0)
      const position = map.nextFree(cursor)
      map.take(position)
      held[slot] = position
      cursor = position + 1
    }
  }
  return { name, count: 200_000, run }
}

/** Addresses as strings in a set: what comes to mind first. Searched from the start, or from the one given last. */
function setOfStrings(name: string, size: number, fill: number, fromLast: boolean): Contender {
  const taken = new Set<string>()
  const held: string[] = []
  for (let i = 0; i < size * fill; i++) {
    const ip = ipv4FromNumber(base + i)
    taken.add(ip)
    held.push(ip)
  }
  const random = numbers(size)
  let offset = 0
  const run = (count: number) => {
    for (let i = 0; i < count; i++) {
      const slot = random.next().value % held.length
      taken.delete(held[slot] ?? '')
      if (!fromLast) offset = 0
      while (taken.has(ipv4FromNumber(base + offset))) offset = (offset + 1) % size
      const ip = ipv4FromNumber(base + offset)
      taken.add(ip)
      held[slot] = ip
    }
  }
  return { name, count: fromLast ? 20_000 : 100, run }
}

/** ip-num's pool of ranges, from which /32s are taken; given back one by one it refuses to go on, so they are not. */
function ipNumPool(name: string, held: number): Contender {
  const pool = Pool.fromCidrRanges([IPv4CidrRange.fromCidr('10.0.0.0/20')])
  const single = IPv4Prefix.fromNumber(32n)
  const run = (count: number) => {
    for (let i = 0; i < count; i++) pool.getCidrRange(single)
  }
  run(held)
  return { name, count: 20, run }
}

async function whole(name: string, subnet: `${string}/${number}`, held: number): Promise<Contender> {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const ipam: Allocator = await allocator(store, {
    clock,
    pools: [{ name: 'pool', ranges: [{ subnet: prefix(subnet) }] }],
  })
  const owner = (number: number) => ({
    network: 'net',
    containerId: number.toString(16).padStart(64, 'c'),
    ifName: 'eth0',
  })
  let next = 0
  for (; next < held; next++) await ipam.allocate(owner(next))
  const run = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await ipam.release(owner(next - held))
      await ipam.allocate(owner(next++))
    }
  }
  return { name, count: 2000, run }
}

await compare('release one and take the next free, index only', [
  freeMap('a /24, empty', 254, 0.01),
  freeMap('10,000 positions, half full', 10_000, 0.5),
  freeMap('10,000 positions, 90 % full', 10_000, 0.9),
  freeMap('100,000 positions, half full', 100_000, 0.5),
  freeMap('100,000 positions, 90 % full', 100_000, 0.9),
  freeMap('a /12, 90 % full', 2 ** 20, 0.9),
  setOfStrings('Set of strings from the last, 10,000, 90 % full', 10_000, 0.9, true),
  setOfStrings('Set of strings from the last, 100,000, 90 % full', 100_000, 0.9, true),
  setOfStrings('Set of strings from the start, 10,000, 90 % full', 10_000, 0.9, false),
  ipNumPool('ip-num Pool, take only, 500 held', 500),
])

await compare('allocate and release over the memory store', [
  await whole('a /24, 10 held', '10.0.0.0/24', 10),
  await whole('a /18, 10,000 held', '10.0.0.0/18', 10_000),
  await whole('a /14, 100,000 held', '10.0.0.0/14', 100_000),
])

const heap = () => {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
const before = heap()
const filled = await whole('', '10.0.0.0/14', 150_000)
const bytes = heap() - before
await filled.run(1)
console.log(
  `150,000 allocations held, store included: ${(bytes / 2 ** 20).toFixed(1)} MiB, ${Math.round(bytes / 150_000)} B each`,
)
