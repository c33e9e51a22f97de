import { ip } from '@podfabric/netaddr'
import type { Capture } from '../../capture.ts'
import { KernelError } from '../../error.ts'
import type { Namespace } from '../../namespace.ts'
import type { Endpoint, TcpConnection, TcpListener, UdpSocket } from '../../sockets.ts'
import { frameText, hash } from './frame-text.ts'
import { OPEN_PORT } from './packet-scenario.ts'
import { MARKER_PORT, markerOf } from './wires.ts'

const ANY = [ip('0.0.0.0'), ip('::')]
const GREETING = Uint8Array.of(104, 105)

/** A namespace with everything that listens in it: what arrives is written down, a line for each. */
export class PacketPlace {
  readonly at: Namespace
  /** What sockets got. */
  readonly received: string[] = []
  /** What captures saw, by link and direction. */
  readonly frames = new Map<string, string[]>()
  readonly #seen = new Set<string>()
  /** Ends that datagrams are answered to; the port says so. */
  readonly #answered: ReadonlySet<number>
  readonly #captures: Capture[] = []
  readonly #sockets: (UdpSocket | TcpListener)[] = []
  readonly #open = new Set<AsyncDisposable>()
  readonly #readers: Promise<void>[] = []
  marker: UdpSocket | undefined

  constructor(at: Namespace, answered: ReadonlySet<number>) {
    this.at = at
    this.#answered = answered
  }

  /** Starts to listen: sockets of both families, and the links of these names. */
  async listen(links: readonly string[]): Promise<void> {
    for (const address of ANY) {
      const socket = await this.at.sockets.udp({ address, port: OPEN_PORT })
      const listener = await this.at.sockets.listen({ address, port: OPEN_PORT })
      this.#sockets.push(socket, listener)
      this.#readers.push(this.#takeDatagrams(socket), this.#takeConnections(listener))
    }
    this.marker = await this.at.sockets.udp({ port: MARKER_PORT })
    // Linux tells others of a new carrier later, unless somebody asks for this one link.
    for (const { name } of await this.at.links.list()) await this.at.links.get(name)
    for (const name of links) {
      const capture = await this.at.capture(name)
      this.#captures.push(capture)
      this.#readers.push(this.#takeFrames(name, capture))
    }
  }

  /** Whether a marker was seen coming in by a link. */
  hasMarker(link: string, number: number): boolean {
    return this.#seen.has(`${link} ${number}`)
  }

  async #takeFrames(link: string, capture: Capture): Promise<void> {
    for await (const frame of capture) {
      const { bytes, direction } = frame
      const marker = markerOf(frame)
      if (marker !== undefined) {
        if (direction === 'in') this.#seen.add(`${link} ${marker}`)
        continue
      }
      const said = frameText(bytes)
      if (said === undefined) continue
      const place = `${link} ${direction}`
      const lines = this.frames.get(place) ?? []
      this.frames.set(place, lines)
      if (said.kind === 'packet' || !lines.includes(said.text)) lines.push(said.text)
    }
  }

  async #takeDatagrams(socket: UdpSocket): Promise<void> {
    for await (const { data, from, to } of socket) {
      this.received.push(`udp ${text(from)} > ${text(to)} ${hash(data)}`)
      if (!this.#answered.has(from.port)) continue
      await socket.send(data, from).catch((error: unknown) => {
        this.received.push(`no answer to ${text(from)}: ${codeOf(error)}`)
      })
    }
  }

  async #takeConnections(listener: TcpListener): Promise<void> {
    for await (const connection of listener) {
      this.received.push(`tcp ${text(connection.remote)} > ${text(connection.local)}`)
      this.keep(connection)
      this.#readers.push(greet(connection))
    }
  }

  /** Closes it with everything else. */
  keep(disposable: AsyncDisposable): void {
    this.#open.add(disposable)
  }

  async close(): Promise<void> {
    for (const one of this.#open) await one[Symbol.asyncDispose]()
    for (const socket of this.#sockets) await socket.close()
    await Promise.all(this.#captures.map((capture) => capture.close()))
    await this.marker?.close()
    await Promise.all(this.#readers)
    await this.at[Symbol.asyncDispose]()
  }
}

/** Says something and waits for the end, which is a reset. */
async function greet(connection: TcpConnection): Promise<void> {
  try {
    await connection.write(GREETING)
    while ((await connection.read()) !== undefined);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
  }
}

export function text({ address, port }: Endpoint): string {
  return `${address} port ${port}`
}

/** The errno of a kernel's refusal; whatever else it is, is thrown on. */
export function codeOf(error: unknown): string {
  if (error instanceof KernelError) return error.code
  throw error
}
