import type { RunningPod } from '@podfabric/cluster'
import type { EchoOutcome } from '@podfabric/kernel'
import type { Ip } from '@podfabric/netaddr'
import type { Hop } from '@podfabric/trace'
import { exitCodes, Failure } from '../failure.ts'
import { wrongReceiver } from '../lab/echo-receiver.ts'
import { type Lab, recording, runningPods } from '../lab/lab.ts'
import { podLabel, podNamed, targetOf } from '../lab/pod-name.ts'
import { type Format, type Output, structured, table } from '../output.ts'

/** One echo request from a pod. Exit code 1 when no reply came. */
export async function ping(
  lab: Lab,
  from: string,
  to: string,
  format: Format,
  output: Output,
): Promise<number> {
  const sender = podNamed(lab, from)
  const target = await targetOf(lab, sender, to)
  const probe = await echo(lab, sender, target.address, target.pod)
  if (format === 'table') output.line(`${podLabel(sender)} → ${target.label}: ${probe.text}`)
  else
    output.line(
      structured({ from: podLabel(sender), to: target.label, address: target.address, ...probe }, format),
    )
  return probe.reached ? 0 : exitCodes.failed
}

/** Every pod to every other, as a matrix. What did not arrive says why below it. Exit code 1 when anything was lost. */
export async function pingAll(lab: Lab, format: Format, output: Output): Promise<number> {
  const pods = runningPods(lab)
  if (pods.length === 0) throw new Failure('failed', 'there is no pod with a network')
  const results = []
  for (const from of pods) {
    for (const to of pods) {
      const [address] = to.sandbox.addresses
      if (from === to || address === undefined) continue
      results.push({ from: podLabel(from), to: podLabel(to), ...(await echo(lab, from, address, to)) })
    }
  }
  const reached = results.filter((result) => result.reached).length
  if (format === 'table') printMatrix(pods, results, output)
  else output.line(structured({ sent: results.length, reached, results }, format))
  return reached === results.length ? 0 : exitCodes.failed
}

interface Probe {
  readonly reached: boolean
  /** What came of it, in words. */
  readonly text: string
}

interface Result extends Probe {
  readonly from: string
  readonly to: string
}

/** `meant` is the pod that was asked for by its name; a reply of another one does not count. */
async function echo(
  lab: Lab,
  { namespace }: RunningPod,
  destination: Ip,
  meant: RunningPod | undefined,
): Promise<Probe> {
  const timed = async () => {
    const started = lab.clock.now()
    const outcome = await namespace.sockets.echo({ destination }).catch(refusal)
    return { outcome, elapsed: Math.round((lab.clock.now() - started) * 1000) / 1000 }
  }
  const recorded = await recording(lab, timed)
  const { hops } = recorded
  const { outcome: result, elapsed } = recorded.result
  if (result.kind !== 'reply') return { reached: false, text: describe(result, hops) }
  const other = meant && wrongReceiver(lab, meant, hops)
  if (other !== undefined)
    return { reached: false, text: `${destination} is answered by ${other}: two have this address` }
  return { reached: true, text: `reply from ${result.from}, ttl ${result.ttl}, ${elapsed} ms` }
}

type Refusal = { readonly kind: 'refused'; readonly reason: string }

/** The kernel would not even send it. */
function refusal(error: unknown): Refusal {
  return { kind: 'refused', reason: error instanceof Error ? error.message : String(error) }
}

function describe(outcome: Exclude<EchoOutcome, { kind: 'reply' }> | Refusal, hops: readonly Hop[]): string {
  switch (outcome.kind) {
    case 'refused':
      return outcome.reason
    case 'unreachable':
      return `unreachable (code ${outcome.code}), says ${outcome.from}${lastDrop(hops)}`
    case 'too-big':
      return `too big, says ${outcome.from}: at most ${outcome.mtu} octets pass`
    case 'time-exceeded':
      return `time exceeded, says ${outcome.from}`
    case 'timeout':
      return `no reply${lastDrop(hops)}`
  }
}

function lastDrop(hops: readonly Hop[]): string {
  const drop = hops.findLast(({ step }) => step === 'drop')
  if (!drop) return ''
  const where = [drop.node, drop.netns, drop.link]
    .filter((part) => part !== undefined && part !== '')
    .join('/')
  return `; dropped at ${where}: ${drop.reason}`
}

function printMatrix(pods: readonly RunningPod[], results: readonly Result[], output: Output): void {
  const names = pods.map(podLabel)
  const cell = (from: string, to: string) => {
    if (from === to) return '·'
    return results.find((result) => result.from === from && result.to === to)?.reached ? '✓' : '✗'
  }
  output.line(
    table(
      ['FROM \\ TO', ...names.map((_, i) => String(i + 1))],
      names.map((from, i) => [`${i + 1} ${from}`, ...names.map((to) => cell(from, to))]),
    ),
  )
  const reached = results.filter((result) => result.reached).length
  const percent = results.length === 0 ? 100 : Math.floor((100 * reached) / results.length)
  output.line(`${reached} of ${results.length} reached (${percent} %)`)
  for (const { from, to, text } of results.filter((result) => !result.reached))
    output.line(`✗ ${from} → ${to}: ${text}`)
}
