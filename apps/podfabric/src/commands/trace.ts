import { httpGet } from '@podfabric/cluster'
import { sleep } from '@podfabric/kernel'
import { overlayFormatters, overlayProtocols } from '@podfabric/overlay'
import { formatJourney, type Hop, type Journey, journeys, journeyToJson, parseFilter } from '@podfabric/trace'
import { exitCodes } from '../failure.ts'
import { type Lab, recording } from '../lab/lab.ts'
import { placeNames, podLabel, podNamed, type Target, targetOf } from '../lab/pod-name.ts'
import { type Format, type Output, structured } from '../output.ts'

export interface TraceOptions {
  readonly output: Format
  /** Only journeys with a hop that passes. */
  readonly filter: string
  readonly droppedOnly: boolean
  /** Neighbor discovery too. */
  readonly all: boolean
}

/**
 * Sends an echo request, or with a port an HTTP request over TCP, and shows the way of every packet of it. Exit code 1 when it was
 * not answered.
 */
export async function trace(
  lab: Lab,
  from: string,
  to: string,
  options: TraceOptions,
  output: Output,
): Promise<number> {
  const passes = parseFilter(options.filter, overlayProtocols)
  const sender = podNamed(lab, from)
  const target = await targetOf(lab, sender, to)
  const place = placeNames(lab)
  const { result, hops } = await recording(lab, () => attempt(lab, sender, target))
  const shown = journeys(hops).filter(
    (journey) =>
      (options.all || !isDiscovery(journey)) &&
      (!options.droppedOnly || journey.outcome === 'dropped') &&
      journey.hops.some(passes),
  )
  if (options.output !== 'table') {
    output.line(
      structured(
        {
          answered: result.answered,
          journeys: shown.map((journey) => journeyToJson(journey, overlayProtocols)),
        },
        options.output,
      ),
    )
    return result.answered ? 0 : exitCodes.failed
  }
  output.line(`${podLabel(sender)} → ${target.label}${target.port === undefined ? '' : `:${target.port}`}`)
  const sent = journeys(hops).length
  if (shown.length === 0)
    output.line(`\nno packet to show: ${sent} passed by, none of them is what was asked for`)
  for (const [i, journey] of shown.entries()) {
    output.line(`\npacket ${i + 1} of ${shown.length}`)
    output.line(formatJourney(journey, { protocols: overlayProtocols, formatters: overlayFormatters, place }))
  }
  output.line(`\n${result.text}`)
  return result.answered ? 0 : exitCodes.failed
}

interface Attempt {
  readonly answered: boolean
  readonly text: string
}

async function attempt(
  lab: Lab,
  { namespace }: ReturnType<typeof podNamed>,
  { address, port }: Target,
): Promise<Attempt> {
  try {
    if (port === undefined) {
      const outcome = await namespace.sockets.echo({ destination: address })
      return outcome.kind === 'reply'
        ? { answered: true, text: `answered by ${outcome.from}` }
        : { answered: false, text: `not answered: ${outcome.kind}` }
    }
    const { status, body } = await httpGet(namespace.sockets, { address, port })
    // The last segments of the connection are still on their way.
    await sleep(lab.clock, 1)
    return {
      answered: true,
      text: `answered with status ${status}: ${new TextDecoder().decode(body).trim()}`,
    }
  } catch (error) {
    return { answered: false, text: `not answered: ${error instanceof Error ? error.message : error}` }
  }
}

/** ARP, and ICMPv6 neighbor discovery: asked by the kernel on the packets' behalf. */
function isDiscovery({ hops: [first] }: Journey): boolean {
  if (!first) return false
  const type = first.layer === 'ethernet' ? (first.bytes[12] ?? 0) * 256 + (first.bytes[13] ?? 0) : undefined
  return type === 0x0806 || isNeighborDiscovery(first, type)
}

function isNeighborDiscovery({ bytes, layer }: Hop, etherType: number | undefined): boolean {
  const start = layer === 'ethernet' ? 14 : 0
  if (layer === 'ethernet' && etherType !== 0x86dd) return false
  const isIpv6 = (bytes[start] ?? 0) >>> 4 === 6
  // A listener report (RFC 9777) comes with neighbor discovery, behind hop-by-hop options, to ff02::16.
  if (isIpv6 && bytes[start + 6] === 0 && bytes[start + 24] === 0xff) return true
  const icmpType = bytes[start + 40] ?? 0
  return isIpv6 && bytes[start + 6] === 58 && icmpType >= 133 && icmpType <= 137
}
