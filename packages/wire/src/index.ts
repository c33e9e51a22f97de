export { ARP_REPLY, ARP_REQUEST, type ArpHeader, arp } from './arp.ts'
export type { ByteSource, CapturedPacket, CaptureReadOptions } from './captured-packet.ts'
export {
  foldChecksum,
  internetChecksum,
  pseudoHeaderSum,
  sumWords,
  updateChecksum,
  updateChecksum32,
} from './checksum.ts'
export type { Checksums, Codec, Decoded, HeaderChecksum, PseudoHeader, TransportChecksum } from './codec.ts'
export {
  type DissectedLayer,
  type Dissection,
  type DissectionError,
  type DissectOptions,
  dissect,
  headerOf,
} from './dissect.ts'
export { dissectionToJson, fromHex, type JsonValue, toHex } from './dissection-json.ts'
export { type EthernetHeader, ethernet, ethernetHeader, etherTypes, type VlanTag } from './ethernet.ts'
export { flowHashAt } from './flow-hash.ts'
export { type FormatContext, type FormatOptions, type Formatter, formatPacket, formatters } from './format.ts'
export { formatTcpFlags } from './format-tcp.ts'
export { type IcmpHeader, icmp, icmpUnreachable } from './icmp.ts'
export { type Icmpv6Header, icmpv6, icmpv6Unreachable } from './icmpv6.ts'
export { type Ipv4Header, type Ipv4Option, ipProtocols, ipv4, ipv4Header } from './ipv4.ts'
export { type Ipv6Header, ipv6, ipv6Header } from './ipv6.ts'
export type {
  Ipv6Extension,
  Ipv6FragmentExtension,
  Ipv6Option,
  Ipv6OptionsExtension,
  Ipv6RoutingExtension,
} from './ipv6-extension.ts'
export { linkTypes } from './link-type.ts'
export type { NdOption } from './nd-option.ts'
export type { DissectContext, DissectedHeader, Dissector, NextProtocols } from './next-protocols.ts'
export { encodePacket, layer, type PacketLayer } from './packet.ts'
export { readPcap } from './pcap.ts'
export { readPcapng } from './pcapng-reader.ts'
export {
  type PcapngInterface,
  type PcapngPacket,
  type PcapngSection,
  type PcapngWriter,
  pcapngWriter,
} from './pcapng-writer.ts'
export {
  decrementHopLimitAt,
  decrementTtlAt,
  destinationPortAt,
  etherTypeAt,
  ipVersionAt,
  ipv4DestinationAt,
  ipv4DontFragmentAt,
  ipv4FragmentOffsetAt,
  ipv4HeaderLengthAt,
  ipv4IsFragmentAt,
  ipv4ProtocolAt,
  ipv4SourceAt,
  ipv4TotalLengthAt,
  ipv4TtlAt,
  ipv6DestinationAt,
  ipv6HopLimitAt,
  ipv6NextHeaderAt,
  ipv6PayloadLengthAt,
  ipv6SourceAt,
  ipv6WordsAt,
  isGroupMacAt,
  macAt,
  setMacAt,
  setU16At,
  setU32At,
  sourcePortAt,
  tcpFlagsAt,
  u16At,
  u32At,
} from './peek.ts'
export { dissector, nextProtocols } from './protocols.ts'
export {
  type LinuxCooked2Header,
  type LinuxCookedHeader,
  linuxSll,
  linuxSll2,
  type NullLinkHeader,
  nullLink,
} from './pseudo-link.ts'
export { readCapture } from './read-capture.ts'
export {
  rewriteIpv4DestinationAt,
  rewriteIpv4DestinationPortAt,
  rewriteIpv4SourceAt,
  rewriteIpv4SourcePortAt,
} from './rewrite.ts'
export { type TcpHeader, tcp, tcpFlags, tcpHeader } from './tcp.ts'
export type { TcpOption } from './tcp-option.ts'
export { type UdpHeader, udp } from './udp.ts'
export { WireError, type WireErrorCode } from './wire-error.ts'
