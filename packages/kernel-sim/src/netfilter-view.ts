import type { NftExpression } from '@podfabric/kernel'
import type { ConntrackReference } from './conntrack-entry.ts'
import type { NetfilterEnvironment, NetfilterPacket } from './netfilter.ts'
import { PacketView } from './packet-view.ts'

const NOTHING: NetfilterPacket = {
  bytes: new Uint8Array(0),
  offset: 0,
  length: 0,
  family: 4,
  mark: 0,
  connection: undefined,
}

/** What rules read of a packet at a hook, and what they want of it. One object for all packets of a namespace. */
export class NetfilterView extends PacketView {
  packet: NetfilterPacket = NOTHING
  /** Names of the links; `''` where there is none. */
  input = ''
  output = ''
  /** The translation that a rule of a nat chain asked for. */
  translation: TranslationWish | undefined = undefined
  readonly environment: Pick<NetfilterEnvironment, 'addressType' | 'random'>

  constructor(environment: Pick<NetfilterEnvironment, 'addressType' | 'random'>) {
    super()
    this.environment = environment
  }

  get connection(): ConntrackReference | undefined {
    return this.packet.connection
  }
}

/** The statement of a rule that translates, with its address in words. */
export interface TranslationWish {
  readonly kind: 'MASQUERADE' | 'SNAT' | 'DNAT'
  /** One word for IPv4, four for IPv6; for masquerading it is the link's. */
  readonly address?: Uint32Array
  readonly port?: number
  /** Choose the port at random even where the own is free. */
  readonly random: boolean
}

export type TranslationStatement = Extract<
  NftExpression,
  { readonly masquerade: unknown } | { readonly snat: unknown } | { readonly dnat: unknown }
>
