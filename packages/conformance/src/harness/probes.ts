import { type Clock, type Datagram, type EchoOutcome, type Endpoint, sleep } from '@podfabric/kernel'
import { type Ip, isV4, UNSPECIFIED_IPV4, UNSPECIFIED_IPV6 } from '@podfabric/netaddr'
import { CaseFailure } from '../failure.ts'
import type { Place } from './place.ts'
import { within } from './within.ts'

/** Who saw whom in an exchange of two datagrams. */
export interface Seen {
  /** The client as the server saw it. */
  readonly client: Endpoint
  /** The server as the client saw it. */
  readonly server: Endpoint
}

/** Real traffic between namespaces. What does not arrive fails the case. */
export interface Probes {
  /** One ICMP echo; a first one that is lost to address resolution is sent again. */
  echo(
    from: Place,
    to: Ip,
    options?: { readonly packetSize?: number },
  ): Promise<EchoOutcome | { readonly kind: 'refused'; readonly code: string }>
  /** The echo is answered. */
  ping(from: Place, to: Ip): Promise<void>
  /** The echo is answered within the time that a network has to learn of a pod on another node. */
  reach(from: Place, to: Ip): Promise<void>
  /** A datagram from one place to an address of another, and one back. */
  talk(from: Place, to: Place, address: Ip): Promise<Seen>
  /** `size` octets over one TCP connection, each compared at the far end. */
  transfer(from: Place, to: Place, address: Ip, size: number): Promise<void>
  /** The datagram does not arrive. */
  silence(from: Place, to: Place, address: Ip): Promise<void>
}

const port = 7946
/** Milliseconds after which every node knows of a pod. */
const convergence = 10_000
const patience = 5000
/** Milliseconds after which a datagram that has not come is not expected any more. */
const quiet = 1500

export function probesOn(clock: Clock): Probes {
  const probes: Probes = {
    async echo(from, to, { packetSize } = {}) {
      const payload =
        packetSize === undefined
          ? {}
          : { payload: new Uint8Array(packetSize - headers(to)), dontFragment: true }
      let last: Awaited<ReturnType<Probes['echo']>> = { kind: 'timeout' }
      for (let sequence = 1; sequence <= 3 && last.kind === 'timeout'; sequence++) {
        try {
          last = await from.at.sockets.echo({ destination: to, sequence, timeout: 1000, ...payload })
        } catch (error) {
          last = { kind: 'refused', code: errnoOf(error) }
        }
      }
      return last
    },

    async ping(from, to) {
      const outcome = await probes.echo(from, to)
      if (outcome.kind !== 'reply') {
        throw new CaseFailure(`${from.name} to reach ${to}`, `echo: ${JSON.stringify(outcome)}`)
      }
    },

    async reach(from, to) {
      const deadline = clock.now() + convergence
      let outcome = await probes.echo(from, to)
      while (outcome.kind !== 'reply' && clock.now() < deadline) {
        await sleep(clock, 250)
        outcome = await probes.echo(from, to)
      }
      if (outcome.kind !== 'reply') {
        const expected = `${from.name} to reach ${to} within ${convergence / 1000} s`
        throw new CaseFailure(expected, `echo: ${JSON.stringify(outcome)}`)
      }
    },

    async talk(from, to, address) {
      const server = await bound(to, address, to.at.sockets.udp({ address, port }))
      try {
        const client = await from.at.sockets.udp({ address: anyOf(address) })
        try {
          const there = await ask(clock, from, to, client, server, address)
          await server.send(bytes('answer'), there.from)
          const back = await within(clock, `an answer from ${to.name} at ${from.name}`, patience, (signal) =>
            client.receive({ signal }),
          )
          return { client: there.from, server: back.from }
        } finally {
          await client.close()
        }
      } finally {
        await server.close()
      }
    },

    async transfer(from, to, address, size) {
      const listener = await bound(to, address, to.at.sockets.listen({ address, port }))
      try {
        await carry(clock, from, to, { address, port }, listener, size)
      } finally {
        await listener.close()
      }
    },

    async silence(from, to, address) {
      const server = await bound(to, address, to.at.sockets.udp({ address, port }))
      const client = await from.at.sockets.udp({ address: anyOf(address) })
      const over = new AbortController()
      const timer = clock.after(quiet, () => over.abort())
      try {
        await client.send(bytes('nobody'), { address, port }).catch(() => undefined)
        const heard = await server.receive({ signal: over.signal }).catch((error: unknown) => {
          if (over.signal.aborted) return undefined
          throw error
        })
        if (heard === undefined) return
        throw new CaseFailure(`nothing from ${from.name} to arrive at ${to.name}`, `a datagram to ${address}`)
      } finally {
        timer[Symbol.dispose]()
        await client.close()
        await server.close()
      }
    },
  }
  return probes
}

/** A socket at an address that should be there. */
async function bound<T>(place: Place, address: Ip, socket: Promise<T>): Promise<T> {
  try {
    return await socket
  } catch (error) {
    throw new CaseFailure(`${address} to be an address of ${place.name}`, errnoOf(error), { cause: error })
  }
}

/** A datagram that arrives: sent again while address resolution or duplicate address detection may have eaten it. */
async function ask(
  clock: Clock,
  from: Place,
  to: Place,
  client: Awaited<ReturnType<Place['at']['sockets']['udp']>>,
  server: typeof client,
  address: Ip,
): Promise<Datagram> {
  let refused = ''
  for (let attempt = 1; attempt <= 3; attempt++) {
    try {
      await client.send(bytes('question'), { address, port })
    } catch (error) {
      refused = `, ${errnoOf(error)}`
    }
    const wait = new AbortController()
    const timer = clock.after(1000, () => wait.abort())
    try {
      return await server.receive({ signal: wait.signal })
    } catch (error) {
      if (!wait.signal.aborted) throw error
    } finally {
      timer[Symbol.dispose]()
    }
  }
  throw new CaseFailure(
    `a datagram from ${from.name} to arrive at ${to.name}, ${address}`,
    `none arrived${refused}`,
  )
}

async function carry(
  clock: Clock,
  from: Place,
  to: Place,
  remote: Endpoint,
  listener: Awaited<ReturnType<Place['at']['sockets']['listen']>>,
  size: number,
): Promise<void> {
  const what = `${size} octets of TCP from ${from.name} at ${to.name}, ${remote.address}`
  await within(clock, what, 120_000, async (signal) => {
    const dialled = from.at.sockets.connect(remote, { signal }).catch((error: unknown) => {
      if (signal.aborted) throw error
      throw new CaseFailure(`a TCP connection from ${from.name} to ${remote.address}`, errnoOf(error))
    })
    const [client, accepted] = await Promise.all([dialled, listener.accept({ signal })])
    const writing = client.write(pattern(0, size)).then(() => client.finish())
    writing.catch(() => undefined)
    try {
      let got = 0
      for (
        let part = await accepted.read({ signal });
        part !== undefined;
        part = await accepted.read({ signal })
      ) {
        const sent = pattern(got, part.length)
        if (part.some((octet, index) => octet !== sent[index])) {
          throw new CaseFailure(what, `other octets after ${got}`)
        }
        got += part.length
      }
      if (got !== size) throw new CaseFailure(what, `${got} octets`)
      await writing
    } finally {
      await Promise.all([client.reset(), accepted.reset()])
    }
  })
}

/** `length` octets of an endless pattern, from `offset` on. */
function pattern(offset: number, length: number): Uint8Array {
  return Uint8Array.from(
    { length },
    (_zero, index) => ((offset + index) * 31 + ((offset + index) >> 8)) & 0xff,
  )
}

/** Octets of the headers of an echo request: IP and ICMP. */
function headers(to: Ip): number {
  return isV4(to) ? 28 : 48
}

function anyOf(address: Ip): Ip {
  return isV4(address) ? UNSPECIFIED_IPV4 : UNSPECIFIED_IPV6
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** The errno of a socket that refused; anything else is no outcome of traffic. */
function errnoOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  throw error
}
