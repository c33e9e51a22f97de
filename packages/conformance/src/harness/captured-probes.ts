import type { Capture } from '@podfabric/kernel'
import { dissect, formatPacket } from '@podfabric/wire'
import type { Place } from './place.ts'
import type { Probes } from './probes.ts'

export interface CapturedProbes {
  readonly probes: Probes
  /** What went by on the links of the places of the last probe, in one line each; the last ones where there were many. */
  readonly packets: readonly string[]
  forget(): void
}

/** Lines that are kept of one link. */
const most = 20

/** The same probes; what they send, and what comes of it, is captured at both ends. */
export function capturedProbes(probes: Probes): CapturedProbes {
  let packets: readonly string[] = []

  const watched = async <T>(places: readonly Place[], work: () => Promise<T>): Promise<T> => {
    const tapes = (await Promise.all([...new Set(places)].map(tapesOf))).flat()
    try {
      return await work()
    } finally {
      await Promise.all(tapes.map(({ stop }) => stop()))
      packets = tapes.flatMap(({ lines }) => lines)
    }
  }

  return {
    get packets() {
      return packets
    },
    forget() {
      packets = []
    },
    probes: {
      echo: (from, to, options) => watched([from], () => probes.echo(from, to, options)),
      ping: (from, to) => watched([from], () => probes.ping(from, to)),
      reach: (from, to) => watched([from], () => probes.reach(from, to)),
      talk: (from, to, address) => watched([from, to], () => probes.talk(from, to, address)),
      transfer: (from, to, address, size) =>
        watched([from, to], () => probes.transfer(from, to, address, size)),
      silence: (from, to, address) => watched([from, to], () => probes.silence(from, to, address)),
    },
  }
}

interface Tape {
  readonly lines: string[]
  stop(): Promise<void>
}

async function tapesOf(place: Place): Promise<readonly Tape[]> {
  const links = (await place.at.links.list()).filter(({ up }) => up)
  return Promise.all(
    links.map(async ({ name }) => tapeOf(await place.at.capture(name), `${place.name}, ${name}`)),
  )
}

function tapeOf(capture: Capture, where: string): Tape {
  const lines: string[] = []
  const reading = (async () => {
    for await (const { bytes, direction } of capture) {
      // Checksums of what is sent may be left to the network card.
      const line = formatPacket(dissect(bytes, { verifyChecksums: false }))
      lines.push(`${where} ${direction.padEnd(3)} ${line}`)
      if (lines.length > most) lines.shift()
    }
  })()
  return {
    lines,
    async stop() {
      await capture.close()
      await reading
    },
  }
}
