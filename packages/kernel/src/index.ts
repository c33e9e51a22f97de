export type { Address, AddressKey } from './address.ts'
export type { Capture, CapturedFrame } from './capture.ts'
export type { Change, ChangeType } from './changes.ts'
export { type Clock, type SleepOptions, sleep, systemClock } from './clock.ts'
export { formatCommand } from './command.ts'
export { type CommandLog, type CommandLogEntry, type CommandLogOptions, commandLog } from './command-log.ts'
export type { Conntrack, ConntrackEntry, ConntrackFilter, FlowTuple } from './conntrack.ts'
export { type Errno, KernelError } from './error.ts'
export { failNth, haltAt } from './faults.ts'
export type { Kernel } from './kernel.ts'
export type {
  BridgeLink,
  BridgePort,
  BridgeSpec,
  DeviceLink,
  Link,
  LinkChange,
  LinkSpec,
  LoopbackLink,
  VethLink,
  VethSpec,
  VxlanLink,
  VxlanSpec,
} from './link.ts'
export { onlyFor, withMiddleware } from './middleware.ts'
export type { Fdb, Links, Namespace, Routes, Rules, Sysctl, Table } from './namespace.ts'
export type { FdbEntry, FdbKey, Neighbor, NeighborKey, NeighborState } from './neighbor.ts'
export type { Netns, NetnsEntry, NetnsTable } from './netns.ts'
export type {
  Nft,
  NftBase,
  NftChain,
  NftCommand,
  NftConcatenation,
  NftElements,
  NftExpression,
  NftFamily,
  NftField,
  NftFields,
  NftKey,
  NftKeyType,
  NftLookup,
  NftMap,
  NftMapElements,
  NftMapKeys,
  NftMapping,
  NftNumber,
  NftObject,
  NftRule,
  NftSet,
  NftSetElements,
  NftTable,
  NftTarget,
  NftValue,
  NftVerdict,
} from './nft.ts'
export { formatNft } from './nft-command.ts'
export { nftFieldTypes, nftKeyTypes } from './nft-type.ts'
export type { Middleware, Operation, OperationSite, Outcome } from './operation.ts'
export { isOwnedAlias, ownedAlias, ownership } from './ownership.ts'
export type { Route, RouteAnswer, RouteKey, RouteQuery, RouteType, Rule } from './route.ts'
export type {
  ConnectOptions,
  Datagram,
  EchoOutcome,
  EchoRequest,
  Endpoint,
  LocalEndpoint,
  SendOptions,
  Sockets,
  TcpConnection,
  TcpListener,
  UdpSocket,
  WaitOptions,
} from './sockets.ts'
export { isSameSetting } from './sysctl-value.ts'
export { type NamespaceTables, type TableDriver, tablesOver } from './tables.ts'
