// One change of nftables through this package, beside `nft -f` of the same change and the floor: the same octets sent to
// the kernel from a socket that is open already. In a table that is empty else, and in one with 3,000 rules in other
// chains. Wall time, interleaved in one run. Needs root, or `unshare -Urnm`; nft is left out where it is not installed.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatNft, type NftCommand, type NftObject } from '@podfabric/kernel'
import { koffiSyscalls } from '../src/koffi-syscalls.ts'
import { linux } from '../src/linux.ts'
import { NLM_F_ACK } from '../src/netlink-message.ts'
import { NETLINK_NETFILTER, NetlinkSocket } from '../src/netlink-socket.ts'
import { batchBegin, batchEnd } from '../src/nft-message.ts'
import { transactionSteps } from '../src/nft-transaction.ts'

const ROUNDS = 15
const PER_ROUND = 20
const NFT_PER_ROUND = 3
const OTHERS = 3000

const place = { family: 'inet', table: 't' } as const
const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
const mine = { kind: 'chain', ...place, name: 'mine' } as const
const ports = { kind: 'set', ...place, name: 'ports', type: 'mark' } as const
const rule = (chain: string, i: number) =>
  add({
    kind: 'rule',
    ...place,
    chain,
    expressions: [{ match: 'ip saddr', value: `10.${i >> 8}.${i & 255}.1` }, { verdict: 'drop' }],
  })
const changes = {
  'one rule': (i: number) => rule('mine', i & 0xffff),
  'one set element': (i: number) => add({ kind: 'elements', ...place, set: 'ports', elements: [i] }),
} as const
const reset: readonly NftCommand[] = [
  { verb: 'flush', object: mine },
  { verb: 'flush', object: ports },
]

const hasNft = spawnSync('nft', ['--version']).error === undefined
const directory = mkdtempSync(join(tmpdir(), 'nft-bench-'))
const kernel = linux({ directory })
const sys = koffiSyscalls()
let n = 0

/** Microseconds of each of `count` calls, their median. */
async function median(count: number, run: () => Promise<void> | void): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const before = process.hrtime.bigint()
    await run()
    times.push(Number(process.hrtime.bigint() - before) / 1000)
  }
  return middle(times)
}

function middle(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1] ?? 0
}

async function bed(name: string, others: number) {
  const netns = await kernel.netns.create(name)
  const at = kernel.in(netns)
  const fd = openSync(join(directory, name), 'r')
  const socket = new NetlinkSocket(sys, fd, NETLINK_NETFILTER)
  const chains = Array.from({ length: others / 10 }, (_, i) => `other${i}`)
  await at.nft.apply([
    add({ kind: 'table', family: 'inet', name: 't' }),
    add(mine),
    add(ports),
    ...chains.map((chain) => add({ kind: 'chain', ...place, name: chain })),
    ...chains.flatMap((chain, c) => Array.from({ length: 10 }, (_, i) => rule(chain, 10 * c + i))),
  ])
  return {
    at,
    /** The octets are made before; only what the kernel does with them is measured. */
    raw(command: NftCommand): () => void {
      const facts = () => ({ key: ['mark'], interval: false }) as const
      const steps = transactionSteps([command], facts)
      const first = socket.reserve(steps.length + 2)
      const messages = [
        batchBegin().finish(first, 0),
        ...steps.map(({ writer }, i) => writer.finish(first + 1 + i, NLM_F_ACK)),
        batchEnd().finish(first + 1 + steps.length, 0),
      ]
      return () => {
        if (socket.batch(messages, first, 'nft') !== undefined)
          throw new Error('the kernel refused the change')
      }
    },
    nft(command: NftCommand): void {
      const args = [`--net=${join(directory, name)}`, 'nft', '-f', '-']
      const { status, stderr } = spawnSync('nsenter', args, {
        input: `${formatNft(command)}\n`,
        encoding: 'utf8',
      })
      if (status !== 0) throw new Error(stderr)
    },
    async [Symbol.asyncDispose]() {
      socket.close()
      closeSync(fd)
      await at[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
    },
  }
}

const beds = [
  { title: 'in an empty table', space: await bed('empty', 0) },
  { title: `beside ${OTHERS} rules in other chains`, space: await bed('full', OTHERS) },
]
const measured = new Map<string, number[]>()
const note = (name: string, microseconds: number) =>
  void measured.set(name, [...(measured.get(name) ?? []), microseconds])

try {
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [what, change] of Object.entries(changes)) {
      for (const { title, space } of beds) {
        const name = `${what} ${title}`
        const ours = await median(PER_ROUND, () => space.at.nft.apply([change(n++)]))
        const calls = Array.from({ length: PER_ROUND }, () => space.raw(change(n++)))
        const floor = await median(PER_ROUND, () => calls.pop()?.())
        const nft = hasNft ? await median(NFT_PER_ROUND, () => space.nft(change(n++))) : undefined
        await space.at.nft.apply(reset)
        if (round === 0) continue // Warm-up.
        note(`${name}: ours`, ours)
        note(`${name}: floor`, floor)
        if (nft !== undefined) note(`${name}: nft -f`, nft)
      }
    }
  }
  const of = (name: string) => middle([...(measured.get(name) ?? [])])
  for (const what of Object.keys(changes)) {
    for (const { title } of beds) {
      const ours = of(`${what} ${title}: ours`)
      console.log(`${what} ${title}`)
      console.log(`  ${'ours'.padEnd(44)}${ours.toFixed(1).padStart(10)} us`)
      for (const reference of ['floor', ...(hasNft ? ['nft -f'] : [])]) {
        const time = of(`${what} ${title}: ${reference}`)
        const ratio = (ours / time).toFixed(3)
        console.log(`  ${reference.padEnd(44)}${time.toFixed(1).padStart(10)} us  ours is ${ratio}x of it`)
      }
    }
    const [empty, full] = beds.map(({ title }) => of(`${what} ${title}: ours`))
    console.log(
      `  ours with the other rules is ${((full ?? 0) / (empty ?? 1)).toFixed(2)}x of ours without them`,
    )
  }
} finally {
  for (const { space } of beds) await space[Symbol.asyncDispose]()
  for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
  await kernel[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
}
