import { overlayProtocols } from '@podfabric/overlay'
import type { Hop, Reason, Step } from '@podfabric/trace'
import { dissect } from '@podfabric/wire'

/** A frame that was captured on a link. */
export interface SeenFrame {
  readonly node: string
  /** `''` for the node's own namespace. */
  readonly netns: string
  readonly link: string
  readonly direction: 'in' | 'out'
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  readonly bytes: Uint8Array
}

/** Makes hops of the frames on many links. */
export interface SeenPackets {
  /** Frames in order of time. */
  add(frame: SeenFrame): void
  /** Nothing more comes of the packets so far: those that reached nobody get a last hop that says so. */
  end(): void
}

interface Track {
  readonly packet: number
  readonly seenAt: Set<string>
  last: SeenFrame
  encapsulated: boolean
  delivered: boolean
}

/**
 * Frames belong to one packet when they carry the same innermost packet, apart from what routers change (TTL, header checksum); a
 * packet that NAT rewrites is a new one after it. The same packet twice at one place and in one direction is sent anew. What no link shows
 * (routes, rules, sockets) is not in the hops: a packet is delivered where it comes in at a namespace that has its destination
 * address (`isLocal`), and one that is not seen again was lost after the place where it was seen last.
 */
export function seenPackets(
  isLocal: (node: string, netns: string, address: string) => boolean,
  listener: (hop: Hop) => void,
): SeenPackets {
  const tracks = new Map<string, Track>()
  let packets = 0
  let sequence = 0

  function tell(track: Track, frame: SeenFrame, step: Step, reason: Reason, because: Hop['because'] = {}) {
    const { node, netns, link, at, bytes } = frame
    const hop = { packet: track.packet, sequence: sequence++, at, node, netns, step, reason, because, bytes }
    listener({ ...hop, layer: 'ethernet', ...(step !== 'send' && step !== 'deliver' && { link }) })
  }

  function lost(track: Track) {
    if (track.delivered || isToMany(track.last.bytes)) return
    const { node, netns, link } = track.last
    tell(track, track.last, 'drop', 'NOT_SEEN_AGAIN', {
      after: [node, netns, link].filter((part) => part !== '').join('/'),
    })
  }

  return {
    add(frame) {
      const { key, destination, tunnel } = identityOf(frame.bytes)
      const place = `${frame.node}/${frame.netns}/${frame.link} ${frame.direction}`
      let track = tracks.get(key)
      if (track?.seenAt.has(place)) {
        lost(track)
        track = undefined
      }
      const known = track
      track ??= {
        packet: packets++,
        seenAt: new Set(),
        last: frame,
        encapsulated: tunnel !== undefined,
        delivered: false,
      }
      tracks.set(key, track)
      track.seenAt.add(place)
      if (!known && frame.direction === 'out') tell(track, frame, 'send', 'SENT')
      if (tunnel && !track.encapsulated) tell(track, frame, 'encapsulate', 'TUNNEL_PEER', tunnel)
      if (!tunnel && track.encapsulated) tell(track, frame, 'decapsulate', 'RECEIVED')
      track.encapsulated = tunnel !== undefined
      track.last = frame
      if (frame.direction === 'out') tell(track, frame, 'transmit', 'TRANSMITTED')
      else tell(track, frame, 'receive', 'RECEIVED')
      const arrived = frame.direction === 'in' && !tunnel && destination !== undefined
      if (arrived && !track.delivered && isLocal(frame.node, frame.netns, destination)) {
        track.delivered = true
        tell(track, frame, 'deliver', 'LOCAL_ADDRESS', { address: destination })
      }
    },
    end() {
      for (const track of tracks.values()) lost(track)
      tracks.clear()
    },
  }
}

interface Identity {
  readonly key: string
  /** Of the innermost packet; what an ARP message asks for. */
  readonly destination?: string
  /** The outer headers' addresses, where there are some. */
  readonly tunnel?: Readonly<Record<string, string>>
}

function identityOf(bytes: Uint8Array): Identity {
  const { layers } = dissect(bytes, { protocols: overlayProtocols, verifyChecksums: false })
  const ip = layers.filter(({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6')
  const inner = ip.at(-1)
  const outer = ip.length > 1 ? ip[0] : undefined
  if (!inner) {
    const last = layers.at(-1)
    const target = last?.protocol === 'arp' ? textField(last.header, 'targetIp') : undefined
    return { key: text(bytes), ...(target !== undefined && { destination: target }) }
  }
  const packet = bytes.slice(inner.offset)
  // RFC 791: time to live, checksum. RFC 8200: hop limit.
  for (const changed of inner.protocol === 'ipv4' ? [8, 10, 11] : [7]) packet[changed] = 0
  const destination = textField(inner.header, 'destination')
  return {
    key: text(packet),
    ...(destination !== undefined && { destination }),
    ...(outer && {
      tunnel: {
        from: textField(outer.header, 'source') ?? '',
        to: textField(outer.header, 'destination') ?? '',
      },
    }),
  }
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function textField(header: unknown, name: string): string | undefined {
  if (typeof header !== 'object' || header === null) return undefined
  const value: unknown = Object.entries(header).find(([key]) => key === name)?.[1]
  return typeof value === 'string' ? value : undefined
}

/** Broadcast and multicast end in many places, or in none. */
function isToMany(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & 1) === 1
}
