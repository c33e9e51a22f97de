import dnsPacket from 'dns-packet'
import { Bench } from 'tinybench'
import { decodeMessage, encodeMessage, query, responder } from '../src/index.ts'
import { exampleZone } from '../test/cluster.ts'

/**
 * Ours beside dns-packet, in the same run. Run with
 * `node --conditions=@podfabric/source packages/dns/bench/codec.bench.ts`.
 */
const name = 'web.default.svc.cluster.local'
const silent = { debug() {}, error() {} }
const core = responder({ zones: [exampleZone(3)], random: () => 0.5, log: silent })
const ask = (owner: string, type: 'A' | 'AAAA' | 'SRV') =>
  encodeMessage(query(1, { name: owner, type, class: 'IN' }))

function answered(question: Uint8Array): Uint8Array {
  const answer = core.answer(question, { transport: 'udp' })
  if (!answer) throw new Error('no answer')
  return answer
}

const questions = {
  address: ask(name, 'A'),
  srv: ask('_sql._tcp.db.default.svc.cluster.local', 'SRV'),
  missing: ask(`${name}.default.svc.cluster.local`, 'A'),
}
const srvAnswer = answered(questions.srv)
const samples = [
  ['question', questions.address],
  ['A answer', answered(questions.address)],
  ['3 SRV + 3 A', srvAnswer],
] as const

const bench = new Bench({ time: 300, warmupTime: 100 })
for (const [what, octets] of samples) {
  const ours = decodeMessage(octets)
  const buffer = Buffer.from(octets)
  const theirs = dnsPacket.decode(buffer)
  bench
    .add(`decode ${what} | ours`, () => void decodeMessage(octets))
    .add(`decode ${what} | dns-packet`, () => void dnsPacket.decode(buffer))
    .add(`encode ${what} | ours`, () => void encodeMessage(ours))
    .add(`encode ${what} | dns-packet`, () => void dnsPacket.encode(theirs))
}

const addresses = new Map([[name, '10.96.0.7']])
const questionBuffer = Buffer.from(questions.address)
bench
  .add('answer A question | ours', () => void core.answer(questions.address, { transport: 'udp' }))
  .add('answer A question | dns-packet', () => {
    const { id, questions: asked } = dnsPacket.decode(questionBuffer)
    const owner = asked?.[0]?.name ?? ''
    const data = addresses.get(owner.toLowerCase()) ?? ''
    dnsPacket.encode({
      type: 'response',
      ...(id === undefined ? {} : { id }),
      flags: dnsPacket.AUTHORITATIVE_ANSWER,
      ...(asked ? { questions: asked } : {}),
      answers: [{ type: 'A', name: owner, ttl: 5, data }],
    })
  })
  .add('answer SRV question | ours', () => void core.answer(questions.srv, { transport: 'udp' }))
  .add('answer NXDOMAIN question | ours', () => void core.answer(questions.missing, { transport: 'udp' }))

await bench.run()

const rates = new Map(
  bench.tasks.map((task) => {
    if (task.result.state !== 'completed')
      throw new Error(`${task.name} did not complete: ${task.result.state}`)
    return [task.name, 1000 / task.result.latency.p50]
  }),
)
for (const [task, rate] of rates) {
  const [what = '', whose] = task.split(' | ')
  if (whose !== 'ours') continue
  const other = rates.get(`${what} | dns-packet`)
  const beside =
    other === undefined ? '' : `   ${(rate / other).toFixed(2)} x dns-packet (${Math.round(other / 1000)}k/s)`
  console.log(`${what.padEnd(26)} ${String(Math.round(rate / 1000)).padStart(6)}k/s${beside}`)
}
console.log(
  `octets of 3 SRV + 3 A: ${srvAnswer.length}, dns-packet ${dnsPacket.encode(dnsPacket.decode(Buffer.from(srvAnswer))).length}`,
)
