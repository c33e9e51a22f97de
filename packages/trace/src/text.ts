import { type Dissection, type Formatter, formatPacket, type NextProtocols } from '@podfabric/wire'
import type { Hop } from './hop.ts'
import type { Journey } from './journey.ts'
import { dissectHop } from './packet-facts.ts'
import { type Stage, stages } from './stage.ts'
import { tunnelView } from './tunnel-view.ts'

/** How packets are read and shown: the tables of the tunnels in use. */
export interface TextOptions {
  readonly protocols: NextProtocols
  readonly formatters: ReadonlyMap<string, Formatter>
  /** What a namespace is called; default: its name, `host` for the node's own. */
  readonly place?: (node: string, netns: string) => string
}

/** One hop in one line: where, what, why, and the packet. */
export function formatHop(hop: Hop, options: TextOptions): string {
  return `${placeOf(hop, options)}  ${formatStep(hop)}  ${packetLine(hop, options)}`
}

/**
 * A journey as numbered stages. Each stage gives its hops and, side by side, the inner and outer headers that the
 * packet has when it leaves the stage. The last line says how it ended.
 */
export function formatJourney(journey: Journey, options: TextOptions): string {
  const blocks = stages(journey).map((stage, i) => formatStage(stage, i + 1, options))
  return [...blocks, formatOutcome(journey)].join('\n')
}

function formatStage(stage: Stage, number: number, options: TextOptions): string {
  const last = stage.hops.at(-1)
  if (!last) throw new RangeError('a stage has at least one hop')
  return [
    `${number}. ${placeOf(stage, options)}`,
    ...stage.hops.map((hop) => `     ${formatStep(hop)}`),
    `     ${headerColumns(last, options)}`,
  ].join('\n')
}

function formatStep({ step, link, reason, because }: Hop): string {
  const facts = Object.entries(because).map(([name, value]) => `${name} ${value}`)
  const where = link === undefined ? step : `${step} ${link}`
  return facts.length === 0 ? `${where} (${reason})` : `${where} (${reason}: ${facts.join(', ')})`
}

/** Inner headers to the left of the bar, outer ones to its right: what a tunnel adds stands beside what it carries. */
function headerColumns(hop: Hop, options: TextOptions): string {
  const dissection = dissectHop(hop, options.protocols)
  const { outer, inner } = tunnelView(dissection)
  const line = (layers: Dissection['layers']) =>
    formatPacket(part(dissection, layers), { formatters: options.formatters })
  return outer.length === 0 ? line(inner) : `${line(inner)}  │  ${line(outer)}`
}

/** The same dissection, seen as some of its layers only. */
function part(dissection: Dissection, layers: Dissection['layers']): Dissection {
  return { ...dissection, layers }
}

function formatOutcome({ outcome, hops }: Journey): string {
  const end = hops.findLast(({ step }) => step === (outcome === 'delivered' ? 'deliver' : 'drop'))
  if (outcome === 'under-way' || !end) return 'under way'
  return outcome === 'delivered' ? `delivered (${end.reason})` : `dropped: ${end.reason}`
}

function packetLine(hop: Hop, { protocols, formatters }: TextOptions): string {
  return formatPacket(dissectHop(hop, protocols), { formatters })
}

function placeOf(
  { node, netns }: { node: string; netns: string },
  { place = defaultPlace }: TextOptions,
): string {
  return place(node, netns)
}

function defaultPlace(node: string, netns: string): string {
  return `${node} ${netns === '' ? 'host' : netns}`
}
