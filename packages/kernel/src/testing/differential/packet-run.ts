import { ip, prefix } from '@podfabric/netaddr'
import type { Namespace } from '../../namespace.ts'
import type { Netns } from '../../netns.ts'
import type { EchoOutcome } from '../../sockets.ts'
import type { Subject } from './compare.ts'
import type { Account } from './difference.ts'
import { hash, VXLAN_PORTS } from './frame-text.ts'
import { type Observation, observe } from './observation.ts'
import { codeOf, PacketPlace } from './packet-place.ts'
import { contents, isTraffic, type PacketScenario, type Traffic } from './packet-scenario.ts'
import { bind, type ScenarioStep } from './scenario.ts'
import { isMarkerAddress, MARKER_PORT, markerAddress, type Wire, watched, wiresOf } from './wires.ts'

/** How long a kernel may take to come to rest, in milliseconds of its own. */
const PATIENCE = 10_000
const PAUSE = 4
/** An echo ends by what comes of it, or is given up at the end of its scenario. */
const FOREVER = 1_000_000
const ROUNDS = 2

/** One scenario on one kernel. */
export class PacketRun {
  readonly #subject: Subject
  readonly #scenario: PacketScenario
  readonly #netns = new Map<string, Netns>()
  readonly #places = new Map<string, PacketPlace>()
  readonly #wires: readonly Wire[]
  readonly #outcomes: string[] = []
  readonly #given = new AbortController()
  readonly #pending: Promise<void>[] = []
  /** Namespaces with nftables, where connections may be tracked. */
  readonly #tracking: ReadonlySet<string>
  #step = 0
  #markers = 0

  constructor(subject: Subject, scenario: PacketScenario) {
    this.#subject = subject
    this.#scenario = scenario
    this.#wires = wiresOf(scenario)
    this.#tracking = new Set(
      scenario.steps.flatMap((step) =>
        !isTraffic(step) && step.operation.op === 'nft.apply' ? [step.at] : [],
      ),
    )
  }

  /** Makes the namespaces, does what comes before the first packet, and starts to listen. */
  async build(): Promise<void> {
    const { namespaces, steps } = this.#scenario
    const { kernel } = this.#subject
    const answered = new Set<number>()
    for (const step of steps) {
      if (isTraffic(step) && step.traffic.kind === 'datagram' && step.traffic.answered)
        answered.add(step.traffic.from.port)
    }
    for (const name of namespaces) {
      const made = await kernel.netns.create(name)
      this.#netns.set(name, made)
      this.#places.set(name, new PacketPlace(kernel.in(made), answered))
    }
    for (let step = steps[this.#step]; step !== undefined && !isTraffic(step); step = steps[this.#step]) {
      await this.#operate(step)
      this.#step++
    }
    for (const { from } of this.#wires) {
      const destination = prefix(`${markerAddress(from)}/32`)
      await this.#at(from.at).apply([{ op: 'route.add', route: { destination, link: from.link } }])
    }
    for (const [name, place] of this.#places) await place.listen(watched(this.#wires, name))
  }

  /** The next step, and waits until nothing moves; false when there is none. */
  async next(): Promise<boolean> {
    const step = this.#scenario.steps[this.#step]
    if (step === undefined) return false
    if (isTraffic(step)) this.#send(this.#place(step.at), this.#step, step.traffic)
    else await this.#operate(step)
    this.#step++
    await this.rest()
    return true
  }

  async #operate({ at, operation }: ScenarioStep): Promise<void> {
    const bound = bind(operation, (name) => get(this.#netns, name))
    const [outcome] = await this.#at(at).apply([bound])
    this.#outcomes[this.#step] = outcome?.ok ? 'ok' : (outcome?.error.code ?? 'nothing')
  }

  #send(place: PacketPlace, step: number, traffic: Traffic): void {
    this.#outcomes[step] = 'silence'
    const tell = (outcome: string) => {
      if (!this.#given.signal.aborted) this.#outcomes[step] = outcome
    }
    const refuse = (error: unknown) => {
      if (!this.#given.signal.aborted) tell(codeOf(error))
    }
    this.#pending.push(this.#act(place, traffic).then(tell, refuse))
  }

  async #act(place: PacketPlace, traffic: Traffic): Promise<string> {
    const { sockets } = place.at
    const { signal } = this.#given
    switch (traffic.kind) {
      case 'echo': {
        const { kind, size, ...request } = traffic
        return outcomeText(
          await sockets.echo({ ...request, payload: contents(size), timeout: FOREVER, signal }),
        )
      }
      case 'datagram': {
        const { from, to, size, ttl, dontFragment = false } = traffic
        const socket = await sockets.udp(from)
        place.keep(socket)
        await socket.send(contents(size), to, { dontFragment, ...(ttl !== undefined && { ttl }) })
        return 'sent'
      }
      case 'connect': {
        const connection = await sockets.connect(traffic.to, { local: traffic.from, signal })
        place.keep(connection)
        const data = await connection.read({ signal })
        await connection.reset()
        return `connected, read ${data?.length ?? 'the end'}`
      }
    }
  }

  /** Waits until no neighbor is asked for, and everything that was on a wire has arrived. */
  async rest(): Promise<void> {
    for (let waited = 0; ; waited += PAUSE) {
      for (let round = 0; round < ROUNDS; round++) await this.#markWires()
      if (!(await this.#asksNeighbors())) return
      if (waited > PATIENCE) throw new Error(`${this.#subject.name} does not come to rest`)
      await this.#subject.pass(PAUSE)
    }
  }

  async #asksNeighbors(): Promise<boolean> {
    for (const { at } of this.#places.values()) {
      const rows = await at.neighbors.list()
      if (rows.some(({ state }) => state === 'incomplete' || state === 'probe')) return true
    }
    return false
  }

  /** Sends a marker over every wire that can carry one, behind whatever is under way there, and waits for all. */
  async #markWires(): Promise<void> {
    const waiting: { readonly wire: Wire; readonly number: number }[] = []
    for (const wire of this.#wires.toSorted((a, b) => Number(a.watched) - Number(b.watched))) {
      if (!(await this.#carries(wire))) continue
      const number = ++this.#markers
      const data = new Uint8Array(4)
      new DataView(data.buffer).setUint32(0, number)
      const address = ip(markerAddress(wire.from))
      await this.#place(wire.from.at).marker?.send(data, { address, port: MARKER_PORT })
      // Those that nobody sees arrive went first, so that they are there when the others are.
      if (wire.watched) waiting.push({ wire, number })
    }
    const missing = () =>
      waiting.find(({ wire, number }) => !this.#place(wire.to.at).hasMarker(wire.to.link, number))
    for (let waited = 0; missing() !== undefined; waited += PAUSE) {
      if (waited > PATIENCE) {
        const { from, to } = missing()?.wire ?? {}
        throw new Error(`${this.#subject.name} lost a marker from ${from?.at} ${from?.link} to ${to?.at}`)
      }
      await this.#subject.pass(waited === 0 ? 0 : PAUSE)
    }
  }

  async #carries({ from, to }: Wire): Promise<boolean> {
    const near = this.#at(from.at)
    try {
      const links = [await near.links.get(from.link), await this.#at(to.at).links.get(to.link)]
      if (!links.every(({ running }) => running)) return false
      return (await near.routes.lookup({ destination: ip(markerAddress(from)) })).link === from.link
    } catch (error) {
      codeOf(error)
      return false
    }
  }

  async account(): Promise<Account> {
    const state: Record<string, Observation> = {}
    for (const [name, place] of this.#places) state[name] = await this.#observe(name, place)
    return { outcomes: [...this.#outcomes], state }
  }

  async #observe(name: string, place: PacketPlace): Promise<Observation> {
    const { at } = place
    const tables = await observe(at, { lookups: this.#scenario.lookups, sysctls: [], nft: false })
    const frames = [...place.frames].map(([link, lines]) => [`frames ${link}`, lines.toSorted()] as const)
    return {
      ...tables,
      neighbors: (tables.neighbors ?? []).filter(isSought).map(withoutAge),
      ...(this.#tracking.has(name) ? { conntrack: await this.#connections(at) } : {}),
      received: place.received.toSorted(),
      ...Object.fromEntries(frames),
    }
  }

  async #connections(at: Namespace): Promise<readonly string[]> {
    const rows = await at.conntrack.list()
    return (
      rows
        .filter(({ original }) => !isMarkerAddress(original.destination))
        .map(({ protocol, original, reply, confirmedByReply, mark }) => {
          // The identifier of an echo is anybody's choice.
          const ports = protocol === 'udp' || protocol === 'tcp'
          const side = ({ source, destination, sourcePort, destinationPort }: typeof original) =>
            ports && !isTunnel(original.destinationPort)
              ? `${source} ${sourcePort} > ${destination} ${destinationPort}`
              : `${source} > ${destination}`
          if (isTunnel(original.destinationPort)) return `tunnel ${side(original)}`
          return `${protocol} ${side(original)}, ${side(reply)}${confirmedByReply ? ' replied' : ''} mark ${mark}`
        })
        .toSorted()
        // A tunnel's source port comes from a hash of the kernel's own.
        .filter((row, i, rows) => row !== rows[i - 1])
    )
  }

  async close(): Promise<void> {
    this.#given.abort(new Error('the scenario is over'))
    await Promise.all(this.#pending)
    for (const place of this.#places.values()) await place.close()
    for (const [name, reference] of this.#netns) {
      await reference[Symbol.asyncDispose]()
      await this.#subject.kernel.netns.delete(name)
    }
  }

  #place(name: string): PacketPlace {
    return get(this.#places, name)
  }

  #at(name: string): Namespace {
    return this.#place(name).at
  }
}

function get<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name)
  if (found === undefined) throw new RangeError(`the scenario has no namespace ${name}`)
  return found
}

function outcomeText(outcome: EchoOutcome): string {
  switch (outcome.kind) {
    case 'reply':
      return `reply from ${outcome.from} ttl ${outcome.ttl} ${hash(outcome.payload)}`
    case 'unreachable':
      return `unreachable ${outcome.code} from ${outcome.from}`
    case 'too-big':
      return `too big, ${outcome.mtu} from ${outcome.from}`
    case 'time-exceeded':
      return `time exceeded from ${outcome.from}`
    case 'timeout':
      return 'silence'
  }
}

function isTunnel(port: number): boolean {
  return VXLAN_PORTS.includes(port)
}

/** Linux keeps rows of `lo` too, and of hosts that solicit routers, from link-local addresses, whenever they do. */
function isSought(row: string): boolean {
  return !row.includes(' link lo ') && !row.includes('address fe80:')
}

/** A neighbor that was seen grows old as time passes. */
function withoutAge(row: string): string {
  return row.replace(/state (reachable|stale|delay|probe)/, 'state seen')
}
