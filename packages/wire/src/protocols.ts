import { arp } from './arp.ts'
import type { Codec } from './codec.ts'
import { ethernet } from './ethernet.ts'
import { icmp } from './icmp.ts'
import { icmpv6 } from './icmpv6.ts'
import { ipProtocols, ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'
import { linkTypes } from './link-type.ts'
import type { DissectContext, DissectedHeader, Dissector, NextProtocols } from './next-protocols.ts'
import { linuxSll, linuxSll2, nullLink } from './pseudo-link.ts'
import { tcp } from './tcp.ts'
import { udp } from './udp.ts'
import { WireError } from './wire-error.ts'

/**
 * A dissector for a protocol without checksums, such as a tunnel header. `next` names what reads the payload;
 * without it the payload is data.
 */
export function dissector<H>(
  codec: Codec<H>,
  next?: (header: H, protocols: NextProtocols) => Dissector | undefined,
): Dissector {
  return {
    protocol: codec.name,
    read(packet, { protocols }) {
      const decoded = codec.decode(packet)
      return { ...decoded, next: next?.(decoded.header, protocols) }
    },
  }
}

const ethernetDissector = dissector(ethernet, (header, { etherTypes }) => etherTypes.get(header.type))
const arpDissector = dissector(arp)

const ipv4Dissector: Dissector = {
  protocol: ipv4.name,
  read(packet, { verify, protocols }) {
    const { header, payload } = ipv4.decode(packet, verify ? 'checked' : 'unchecked')
    const fragment = header.moreFragments || header.fragmentOffset > 0
    const next = header.fragmentOffset > 0 ? undefined : protocols.ipProtocols.get(header.protocol)
    return { header, payload, next, fragment, addresses: header }
  },
}

const ipv6Dissector: Dissector = {
  protocol: ipv6.name,
  read(packet, { protocols }) {
    const { header, payload } = ipv6.decode(packet)
    let fragment = false
    let first = true
    for (const extension of header.extensions) {
      // A routing header that is still in use hides the final destination, which checksums cover.
      if (extension.kind === 'routing' && extension.segmentsLeft > 0) fragment = true
      if (extension.kind !== 'fragment') continue
      if (extension.moreFragments || extension.offset > 0) fragment = true
      if (extension.offset > 0) first = false
    }
    const next = first ? protocols.ipProtocols.get(header.nextHeader) : undefined
    return { header, payload, next, fragment, addresses: header }
  },
}

const icmpDissector: Dissector = {
  protocol: icmp.name,
  read: (packet, { verify }) => ({
    ...icmp.decode(packet, verify ? 'checked' : 'unchecked'),
    next: undefined,
  }),
}

const icmpv6Dissector: Dissector = {
  protocol: icmpv6.name,
  read: (packet, context) => ({ ...icmpv6.decode(packet, transportChecksum(context)), next: undefined }),
}

const udpDissector: Dissector = {
  protocol: udp.name,
  read(packet, context) {
    return withPorts(udp.decode(packet, transportChecksum(context)), context.protocols.udpPorts)
  },
}

const tcpDissector: Dissector = {
  protocol: tcp.name,
  read(packet, context) {
    return withPorts(tcp.decode(packet, transportChecksum(context)), context.protocols.tcpPorts)
  },
}

function transportChecksum({ verify, addresses }: DissectContext) {
  return verify && addresses !== undefined ? addresses : 'unchecked'
}

function withPorts<H extends { readonly sourcePort: number; readonly destinationPort: number }>(
  decoded: { readonly header: H; readonly payload: Uint8Array },
  ports: ReadonlyMap<number, Dissector>,
): DissectedHeader<H> {
  const { header, payload } = decoded
  const next =
    payload.length === 0 ? undefined : (ports.get(header.destinationPort) ?? ports.get(header.sourcePort))
  return { header, payload, next }
}

/** IPv4 or IPv6, by the version in the first octet. */
const rawIpDissector: Dissector = {
  protocol: 'ip',
  read(packet, context) {
    const version = (packet[0] ?? 0) >>> 4
    if (version === 4) return ipv4Dissector.read(packet, context)
    if (version === 6) return ipv6Dissector.read(packet, context)
    throw new WireError('WIRE_MALFORMED', 'ip', 0, `the version is ${version}, neither 4 nor 6`)
  },
}

/** The protocols of this package. IP in IP is read too, as it needs no codec of its own. */
export const nextProtocols: NextProtocols = {
  linkTypes: new Map([
    [linkTypes.null, dissector(nullLink, (header, { etherTypes }) => etherTypes.get(header.type))],
    [linkTypes.ethernet, ethernetDissector],
    [linkTypes.raw, rawIpDissector],
    [linkTypes.linuxSll, dissector(linuxSll, (header, { etherTypes }) => etherTypes.get(header.type))],
    [linkTypes.ipv4, ipv4Dissector],
    [linkTypes.ipv6, ipv6Dissector],
    [linkTypes.linuxSll2, dissector(linuxSll2, (header, { etherTypes }) => etherTypes.get(header.type))],
  ]),
  etherTypes: new Map([
    [0x0800, ipv4Dissector],
    [0x0806, arpDissector],
    [0x6558, ethernetDissector],
    [0x86dd, ipv6Dissector],
  ]),
  ipProtocols: new Map([
    [ipProtocols.icmp, icmpDissector],
    [ipProtocols.ipip, ipv4Dissector],
    [ipProtocols.tcp, tcpDissector],
    [ipProtocols.udp, udpDissector],
    [ipProtocols.ipv6, ipv6Dissector],
    [ipProtocols.icmpv6, icmpv6Dissector],
  ]),
  udpPorts: new Map(),
  tcpPorts: new Map(),
}
