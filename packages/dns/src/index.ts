export type { DnsErrorCode } from './dns-error.ts'
export { DnsError } from './dns-error.ts'
export type { EncodeOptions } from './message/codec.ts'
export { decodeMessage, encodeMessage } from './message/codec.ts'
export { formatRecord } from './message/format.ts'
export type { Edns, Message, Question } from './message/message.ts'
export { opcode, query, rcode, rcodeName } from './message/message.ts'
export type { Name } from './message/name.ts'
export { isWithin, labelsOf, nameKey, parentOf, parseName } from './message/name.ts'
export type {
  AddressData,
  RecordData,
  RecordOf,
  ResourceRecord,
  SoaData,
  SrvData,
  UnknownData,
} from './message/record.ts'
export type { NamedType, QuestionType, RecordClass } from './message/record-type.ts'
export { parseType } from './message/record-type.ts'
export type { PodDns, ResolvConf } from './resolver/resolv-conf.ts'
export { formatResolvConf, parseResolvConf, podResolvConf } from './resolver/resolv-conf.ts'
export type { Attempt, Found, LookupOptions, Resolver, ResolverOptions } from './resolver/resolver.ts'
export { resolver } from './resolver/resolver.ts'
export type { DnsLog } from './server/log.ts'
export type { Asker, Responder, ResponderOptions } from './server/responder.ts'
export { responder } from './server/responder.ts'
export type { DnsServer, DnsServerOptions } from './server/server.ts'
export { dnsServer } from './server/server.ts'
export type { FrameReader } from './server/tcp-frames.ts'
export { frameMessages, frameReader } from './server/tcp-frames.ts'
export type {
  ClusterZone,
  ClusterZoneOptions,
  ZoneChange,
  ZoneDelta,
  ZoneObject,
} from './zone/cluster-zone.ts'
export { clusterZone } from './zone/cluster-zone.ts'
export { reverseName } from './zone/kube-records.ts'
export type { RecordSets } from './zone/record-tree.ts'
export type { Resolution, ResolveContext } from './zone/resolve.ts'
export { resolve } from './zone/resolve.ts'
export type { Zone } from './zone/zone.ts'
