// One durable put, and group commit, beside the floor that the disk sets, in the same run and interleaved. Wall time,
// since a sync is waiting and not work. With `etcd` in the path, a member on loopback is measured too, through its JSON
// gateway, so with HTTP in it.
import { spawn } from 'node:child_process'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileStore } from '../src/file/index.ts'

const ROUNDS = 15
const PER_ROUND = 20
const WRITERS = 64
const clock = {
  now: () => Date.now(),
  after: (delayMs: number, callback: () => void) => {
    const timer = setTimeout(callback, delayMs).unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
const folder = mkdtempSync(join(import.meta.dirname, 'tmp-'))
const record = new Uint8Array(80).fill(0x61)
const text = 'a'.repeat(80)
let n = 0

interface Contender {
  readonly name: string
  /** Operations that one call makes. */
  readonly size: number
  run(): Promise<unknown> | unknown
  readonly microseconds: number[]
}

function contender(name: string, size: number, run: Contender['run']): Contender {
  return { name, size, run, microseconds: [] }
}

const growing = openSync(join(folder, 'growing'), 'w')
const ready = openSync(join(folder, 'preallocated'), 'w')
for (let i = 0; i < 1000; i++) writeSync(ready, new Uint8Array(4096), 0, 4096, i * 4096)
fdatasyncSync(ready)
let at = 0
const store = await fileStore({ path: join(folder, 'state'), clock })
const etcd = await startEtcd()

const contenders = [
  contender('floor: 80 octets, fdatasync, preallocated', 1, () => {
    writeSync(ready, record, 0, 80, at)
    at = (at + 80) % 4_000_000
    fdatasyncSync(ready)
  }),
  contender('floor: 80 octets, fdatasync, growing', 1, () => {
    writeSync(growing, record)
    fdatasyncSync(growing)
  }),
  contender('file store: one put', 1, () => store.put(`one/${n++}`, text, { ifRevision: 0 })),
  contender(`file store: ${WRITERS} puts at once`, WRITERS, () =>
    Promise.all(Array.from({ length: WRITERS }, () => store.put(`many/${n++}`, text, { ifRevision: 0 }))),
  ),
  ...(etcd === undefined
    ? []
    : [
        contender('etcd, JSON gateway: one put', 1, () => etcd.put(`one/${n++}`)),
        contender(`etcd, JSON gateway: ${WRITERS} puts at once`, WRITERS, () =>
          Promise.all(Array.from({ length: WRITERS }, () => etcd.put(`many/${n++}`))),
        ),
      ]),
]

try {
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { run, microseconds } of contenders) {
      for (let i = 0; i < PER_ROUND; i++) {
        const before = performance.now()
        await run()
        if (round > 0) microseconds.push((performance.now() - before) * 1000)
      }
    }
  }
  const p50 = ({ microseconds }: Contender) =>
    microseconds.sort((a, b) => a - b)[microseconds.length >> 1] ?? 0
  const floor = p50(contenders[0] as Contender)
  for (const each of contenders) {
    const median = p50(each)
    const rate = Math.round((each.size * 1e6) / median)
    const ratio = (median / floor).toFixed(2)
    console.log(
      `${each.name.padEnd(44)}${median.toFixed(0).padStart(8)} us  ${String(rate).padStart(7)} ops/s  ${ratio}x the floor`,
    )
  }
  if (etcd === undefined) console.log('etcd is not in the path and was not measured')
  await store.close()
  const before = performance.now()
  const again = await fileStore({ path: join(folder, 'state'), clock })
  const opened = performance.now() - before
  console.log(
    `opened and checked with ${(await again.list('')).entries.length} entries: ${opened.toFixed(1)} ms`,
  )
  await again.close()
} finally {
  closeSync(growing)
  closeSync(ready)
  await etcd?.stop()
  rmSync(folder, { recursive: true })
}

async function startEtcd() {
  const client = 'http://127.0.0.1:23791'
  const peer = 'http://127.0.0.1:23801'
  const child = spawn('etcd', [
    ...[
      '--data-dir',
      join(folder, 'etcd'),
      '--listen-client-urls',
      client,
      '--advertise-client-urls',
      client,
    ],
    ...[
      '--listen-peer-urls',
      peer,
      '--initial-advertise-peer-urls',
      peer,
      '--initial-cluster',
      `default=${peer}`,
    ],
  ])
  const ended = new Promise<void>((resolve) => {
    child.on('error', () => resolve())
    child.on('close', () => resolve())
  })
  const started = new Promise<boolean>((resolve) => {
    void ended.then(() => resolve(false))
    child.stderr.on('data', (data) => {
      if (String(data).includes('ready to serve client requests')) resolve(true)
    })
  })
  if (!(await started)) return undefined
  const value = btoa(text)
  return {
    put: async (name: string) => {
      const key = btoa(name)
      const response = await fetch(`${client}/v3/kv/txn`, {
        method: 'POST',
        body: JSON.stringify({
          compare: [{ target: 'CREATE', key, create_revision: '0' }],
          success: [{ request_put: { key, value } }],
        }),
      })
      const answer = await response.text()
      if (!answer.includes('"succeeded":true')) throw new Error(`etcd answered ${answer}`)
    },
    stop: async () => {
      child.kill()
      await ended
    },
  }
}
