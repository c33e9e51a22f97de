import type {
  Clock,
  Conntrack,
  ConntrackEntry,
  ConntrackFilter,
  NftCommand,
  NftObject,
} from '@podfabric/kernel'
import type { Ip } from '@podfabric/netaddr'
import type { PassReason } from '@podfabric/trace'
import { ConntrackFollower } from './conntrack.ts'
import type { ConntrackReference } from './conntrack-entry.ts'
import { isTracking, planHooks } from './hook-plan.ts'
import { Nat, sideAt } from './nat.ts'
import { NetfilterView } from './netfilter-view.ts'
import { type ChainState, runChain } from './nft-chain.ts'
import { Ruleset } from './nft-ruleset.ts'

// Where a packet path calls in, as in Linux:
//
//   received  → prerouting → route → input → socket
//                                  ↘ forward → postrouting → link
//   from here → route → output → (routed again where `changed`) → postrouting → link
//
// At each of them, five lines:
//
//   const decision = netfilter.hook(packet, 'forward', site)
//   if (decision.verdict !== 'accept') return refuse(packet, decision)
//   if (decision.translation !== undefined) note(packet, 'translate', decision)
//
// A packet that is answered through lo in the same namespace keeps its `connection`, so that it is followed
// once. Where it enters another namespace, or gains or loses outer headers, the core sets `connection` to
// undefined and `mark` to 0. With `tracking(family)`, fragments are put together before prerouting and output.

/** An IP packet at a hook. The buffer is the packet's own: translation writes into it. */
export interface NetfilterPacket {
  readonly bytes: Uint8Array
  /** Where the IP header begins in `bytes`. */
  readonly offset: number
  /** Octets of the IP packet, header included; no more than are there. */
  readonly length: number
  readonly family: 4 | 6
  /** The firewall mark, 0 at first; rules read and set it. */
  mark: number
  /** The connection it belongs to; undefined until the first hook has looked. Only netfilter reads it. */
  connection: ConntrackReference | undefined
}

/** The links that a packet came in by and leaves by; `''` where there is none at this hook. */
export interface HookSite {
  readonly input: string
  readonly output: string
}

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

/** What becomes of the packet. Values are shared: the same rule gives the same object. */
export type Decision = Accepted | Dropped | Rejected

export interface Accepted {
  readonly verdict: 'accept'
  /** What was done to its addresses or ports at this hook. */
  readonly translation: Extract<PassReason, 'MASQUERADE' | 'SNAT' | 'DNAT' | 'NAT_REPLY'> | undefined
  /** Its destination is another than before the hook: at output, route it again. */
  readonly changed: boolean
}

export interface Dropped {
  readonly verdict: 'drop'
  readonly reason: 'NFT_DROP'
  /** The rule, or the chain's policy, that decided; empty where connection tracking did. */
  readonly because: Readonly<Record<string, string | number>>
}

export interface Rejected {
  readonly verdict: 'reject'
  readonly reason: 'NFT_REJECT'
  /** `icmp`: port unreachable (type 3 code 3; ICMPv6 type 1 code 4). `tcp reset`: what `resetFor` of tcp-reset.ts makes. */
  readonly answer: 'icmp' | 'tcp reset'
  readonly because: Readonly<Record<string, string | number>>
}

/** What netfilter has to know of the namespace that it filters for. */
export interface NetfilterEnvironment {
  readonly clock: Clock
  /** Numbers in [0, 1); where ports that clash are looked for. */
  readonly random: () => number
  /**
   * For masquerading: the address that the link named `output` sends from towards the packet's destination.
   * Undefined where the link has none: the packet is dropped. Asked once for each connection.
   */
  sourceOn(output: string, packet: NetfilterPacket): Ip | undefined
  /** For `fib daddr type`: the type of the route to the address of 4 or 16 octets at `bytes[at]`. */
  addressType(bytes: Uint8Array, at: number, family: 4 | 6): AddressType
}

export type AddressType =
  | 'unspec'
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'

/** nftables, connection tracking and NAT of one namespace. Costs nothing until a base chain is there. */
export interface Netfilter {
  /** False where nothing at the hook could change or refuse a packet: the core need not call. */
  active(hook: Hook, family: 4 | 6): boolean
  /** Whether connections are followed: some rule asks for their state, or translates. */
  tracking(family: 4 | 6): boolean
  /** Runs the packet through a hook. Never throws for what a packet holds. */
  hook(packet: NetfilterPacket, hook: Hook, site: HookSite): Decision
  /** As `Nft.apply`, at once: all commands or none; throws `KernelError`. */
  apply(commands: readonly NftCommand[]): void
  /** As `Nft.list`. */
  list(): readonly NftObject[]
  /** As `Conntrack.list`, in the order of first packets. */
  connections(filter?: ConntrackFilter): readonly ConntrackEntry[]
  /** As `Conntrack.delete`. */
  forget(filter: ConntrackFilter): number
}

/** The asynchronous face of `connections` and `forget`, for a namespace handle. */
export function conntrackOver(netfilter: Netfilter): Conntrack {
  return {
    list: async (filter) => netfilter.connections(filter),
    delete: async (filter) => netfilter.forget(filter),
  }
}

export function netfilter(environment: NetfilterEnvironment): Netfilter {
  return new NamespaceNetfilter(environment)
}

class NamespaceNetfilter implements Netfilter {
  readonly #ruleset = new Ruleset()
  readonly #follower: ConntrackFollower
  readonly #nat: Nat
  readonly #view: NetfilterView
  #plans = { 4: planHooks(this.#ruleset, 4), 6: planHooks(this.#ruleset, 6) }
  #tracking = { 4: false, 6: false }

  constructor(environment: NetfilterEnvironment) {
    this.#follower = new ConntrackFollower(environment.clock)
    this.#nat = new Nat(this.#follower, environment)
    this.#view = new NetfilterView(environment)
  }

  active(hook: Hook, family: 4 | 6): boolean {
    return this.#plans[family][hook] !== undefined
  }

  tracking(family: 4 | 6): boolean {
    return this.#tracking[family]
  }

  hook(packet: NetfilterPacket, hook: Hook, site: HookSite): Decision {
    const plan = this.#plans[packet.family][hook]
    if (plan === undefined) return ACCEPTED
    const view = this.#view
    if (!view.read(packet.bytes, packet.offset, packet.offset + packet.length, packet.family)) return ACCEPTED
    view.packet = packet
    view.input = site.input
    view.output = site.output
    let accepted = ACCEPTED
    for (const stage of plan.stages) {
      if (stage.kind === 'follow') {
        this.#follower.follow(view, packet)
        continue
      }
      const decision =
        stage.kind === 'chain' ? decisionOf(stage.chain, view) : this.#translate(hook, stage.chains)
      if (decision.verdict !== 'accept') return decision
      if (decision !== ACCEPTED) accepted = decision
    }
    return !plan.confirms || this.#follower.confirm(packet) ? accepted : CLASHED
  }

  #translate(hook: Hook, chains: readonly ChainState[]): Decision {
    const view = this.#view
    const reference = view.packet.connection
    const connection = reference?.connection
    if (reference === undefined || connection === undefined) return ACCEPTED
    const side = sideAt(hook)
    if (this.#nat.undecided(reference, side)) {
      view.translation = undefined
      for (const chain of chains) {
        const decision = decisionOf(chain, view)
        if (decision.verdict !== 'accept') return decision
        if (view.translation !== undefined) break
      }
      if (!this.#nat.decide(view, connection, side, view.translation)) return CLASHED
    }
    const translation = this.#nat.translate(view, reference, side)
    return translation === undefined ? ACCEPTED : TRANSLATED[side][translation]
  }

  apply(commands: readonly NftCommand[]): void {
    this.#ruleset.apply(commands)
    this.#plans = { 4: planHooks(this.#ruleset, 4), 6: planHooks(this.#ruleset, 6) }
    this.#tracking = { 4: isTracking(this.#ruleset, 4), 6: isTracking(this.#ruleset, 6) }
  }

  list(): readonly NftObject[] {
    return this.#ruleset.list()
  }

  connections(filter?: ConntrackFilter): readonly ConntrackEntry[] {
    return this.#follower.list(filter)
  }

  forget(filter: ConntrackFilter): number {
    return this.#follower.delete(filter)
  }
}

const ACCEPTED: Accepted = { verdict: 'accept', translation: undefined, changed: false }
/** No address or port was free for the connection, or another has the same ones meanwhile. */
const CLASHED: Dropped = { verdict: 'drop', reason: 'NFT_DROP', because: {} }
const TRANSLATED = {
  source: translations(false),
  destination: translations(true),
}

function translations(changed: boolean): Readonly<Record<NonNullable<Accepted['translation']>, Accepted>> {
  const accepted = (translation: NonNullable<Accepted['translation']>): Accepted => ({
    verdict: 'accept',
    translation,
    changed,
  })
  return {
    MASQUERADE: accepted('MASQUERADE'),
    SNAT: accepted('SNAT'),
    DNAT: accepted('DNAT'),
    NAT_REPLY: accepted('NAT_REPLY'),
  }
}

/** What a base chain decides; a translation that a rule asks for is left in the view. */
function decisionOf(chain: ChainState, view: NetfilterView): Decision {
  const terminal = runChain(chain, view)
  if (terminal.kind === 'drop' || terminal.kind === 'reject') return terminal.decision
  if (terminal.kind === 'translate') view.translation = terminal.wish
  return ACCEPTED
}
