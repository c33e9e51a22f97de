import { KernelError } from '@podfabric/kernel'
import type { Device } from './device.ts'
import type { NetworkNamespace } from './network-namespace.ts'

/** net.ipv4.conf.<link>.*: the values of a new namespace. */
const IPV4 = {
  accept_local: 0,
  accept_redirects: 1,
  arp_accept: 0,
  arp_announce: 0,
  arp_filter: 0,
  arp_ignore: 0,
  arp_notify: 0,
  disable_policy: 0,
  disable_xfrm: 0,
  forwarding: 0,
  log_martians: 0,
  promote_secondaries: 0,
  proxy_arp: 0,
  route_localnet: 0,
  rp_filter: 0,
  secure_redirects: 1,
  send_redirects: 1,
  shared_media: 1,
  src_valid_mark: 0,
}

/** net.ipv6.conf.<link>.* */
const IPV6 = {
  accept_dad: 1,
  accept_ra: 1,
  accept_redirects: 1,
  addr_gen_mode: 0,
  autoconf: 1,
  dad_transmits: 1,
  disable_ipv6: 0,
  forwarding: 0,
  hop_limit: 64,
  keep_addr_on_down: 0,
  proxy_ndp: 0,
  use_tempaddr: 0,
}

/** net.ipv4.neigh.<link>.*, in hundredths of a second. */
const NEIGHBOR = { proxy_delay: 80 }

/** Everything that is not of one link. */
const GLOBAL = {
  'net.bridge.bridge-nf-call-ip6tables': '1',
  'net.bridge.bridge-nf-call-iptables': '1',
  'net.ipv4.icmp_echo_ignore_all': '0',
  'net.ipv4.icmp_echo_ignore_broadcasts': '1',
  'net.ipv4.ip_default_ttl': '64',
  'net.ipv4.ip_forward_use_pmtu': '0',
  'net.ipv4.ip_local_port_range': '32768\t60999',
  'net.ipv4.ip_nonlocal_bind': '0',
  'net.ipv4.ip_unprivileged_port_start': '1024',
  'net.ipv4.ping_group_range': '1\t0',
  'net.ipv6.bindv6only': '0',
  'net.ipv6.ip_nonlocal_bind': '0',
}

type Ipv4Key = keyof typeof IPV4
type Ipv6Key = keyof typeof IPV6
type NeighborKey = keyof typeof NEIGHBOR
type GlobalKey = keyof typeof GLOBAL

/** The settings of one link, or of `all` or `default`. */
interface Settings {
  readonly ipv4: Record<Ipv4Key, number>
  readonly ipv6: Record<Ipv6Key, number>
  readonly neigh4: Record<NeighborKey, number>
  readonly neigh6: Record<NeighborKey, number>
}

/** The sysctls of one namespace. Names that are not here are ENOENT. */
export class Sysctls {
  readonly #netns: NetworkNamespace
  readonly #all = freshAll()
  readonly #default = fresh()
  readonly #links = new WeakMap<Device, Settings>()
  readonly #global: Record<GlobalKey, string> = { ...GLOBAL }
  /** [first, last] of the ports that are given to those who ask for none. */
  ports: readonly [number, number] = [32_768, 60_999]
  ttl = 64

  constructor(netns: NetworkNamespace) {
    this.#netns = netns
  }

  #of(device: Device): Settings {
    const known = this.#links.get(device)
    if (known !== undefined) return known
    const settings = copy(this.#default)
    this.#links.set(device, settings)
    return settings
  }

  /** A link came into this namespace: it has the defaults of now. */
  adopt(device: Device): void {
    this.#links.set(device, copy(this.#default))
    device.forwarding4 = this.#default.ipv4.forwarding !== 0
  }

  /** Routing IPv6 is a matter of the whole namespace. */
  get forwarding6(): boolean {
    return this.#all.ipv6.forwarding !== 0
  }

  /** Set for the link or for all. */
  either4(device: Device, key: Ipv4Key): boolean {
    return this.#all.ipv4[key] !== 0 || this.#of(device).ipv4[key] !== 0
  }

  larger4(device: Device, key: Ipv4Key): number {
    return Math.max(this.#all.ipv4[key], this.#of(device).ipv4[key])
  }

  ipv6(device: Device, key: Ipv6Key): number {
    return this.#of(device).ipv6[key]
  }

  allIpv6(key: Ipv6Key): number {
    return this.#all.ipv6[key]
  }

  /** Hundredths of a second. */
  proxyDelay(device: Device, family: 4 | 6): number {
    return this.#of(device)[family === 4 ? 'neigh4' : 'neigh6'].proxy_delay
  }

  flag(key: GlobalKey): boolean {
    return this.#global[key] !== '0'
  }

  get(name: string): string {
    const operation = `sysctl ${name}`
    const plain = canonical(name)
    if (plain === 'net.ipv4.ip_forward') return String(this.#all.ipv4.forwarding)
    if (isKey(this.#global, plain)) return this.#global[plain]
    const place = this.#place(plain, operation)
    return String(place.values[place.key])
  }

  set(name: string, value: string): void {
    const operation = `sysctl -w ${name}=${value}`
    const plain = canonical(name)
    if (plain === 'net.ipv4.ip_forward') return this.set('net.ipv4.conf.all.forwarding', value)
    if (isKey(this.#global, plain)) return this.#setGlobal(plain, value, operation)
    const { values, key } = this.#place(plain, operation)
    const number = wholeNumber(value, operation)
    const same = values[key] === number
    values[key] = number
    if (!same) this.#effects(plain, key, number)
  }

  #setGlobal(key: GlobalKey, value: string, operation: string): void {
    const numbers = value
      .trim()
      .split(/\s+/)
      .map((word) => wholeNumber(word, operation))
    const wanted = GLOBAL[key].split('\t').length
    if (numbers.length !== wanted) throw invalid(operation, `${wanted} numbers are wanted`)
    const [first = 0, last = 0] = numbers
    if (key === 'net.ipv4.ip_local_port_range') {
      if (first < 1 || last > 65_535 || first > last) throw invalid(operation, 'ports are from 1 to 65535')
      this.ports = [first, last]
    }
    if (key === 'net.ipv4.ip_default_ttl') {
      if (first < 1 || first > 255) throw invalid(operation, 'a TTL is from 1 to 255')
      this.ttl = first
    }
    this.#global[key] = numbers.join('\t')
    if (key.startsWith('net.bridge.')) this.#netns.refreshBridgeNetfilter()
  }

  /** Where a per-link value is kept. */
  #place(name: string, operation: string): { readonly values: Record<string, number>; readonly key: string } {
    const found = /^net\.(ipv4|ipv6)\.(conf|neigh)\.([^.]+)\.([^.]+)$/.exec(name)
    const [, family, kind, link = '', key = ''] = found ?? []
    const settings = found === null ? undefined : this.#settings(link)
    if (settings !== undefined) {
      const group =
        kind === 'neigh' ? (family === 'ipv4' ? 'neigh4' : 'neigh6') : family === 'ipv4' ? 'ipv4' : 'ipv6'
      const values: Record<string, number> = settings[group]
      const known = Object.hasOwn(values, key) && !(kind === 'neigh' && link === 'all')
      if (known) return { values, key }
    }
    throw new KernelError('ENOENT', operation, 'there is no such sysctl here')
  }

  #settings(link: string): Settings | undefined {
    if (link === 'all') return this.#all
    if (link === 'default') return this.#default
    const device = this.#netns.find(link.replaceAll('/', '.'))
    return device && this.#of(device)
  }

  /** What a write does beyond the value itself. */
  #effects(name: string, key: string, value: number): void {
    const links = this.#netns.links()
    const [, family, , link = ''] = name.split('.')
    if (key === 'forwarding') {
      if (link === 'all') {
        const group = family === 'ipv4' ? 'ipv4' : 'ipv6'
        for (const settings of [this.#default, ...links.map((device) => this.#of(device))]) {
          settings[group].forwarding = value
        }
      }
      for (const device of links) device.forwarding4 = this.#of(device).ipv4.forwarding !== 0
      if (family === 'ipv6' && link === 'all') this.#netns.forwarding6Switched()
    }
    if (key === 'disable_ipv6') {
      if (link === 'all') {
        this.#default.ipv6.disable_ipv6 = value
        for (const device of links) this.#of(device).ipv6.disable_ipv6 = value
      }
      for (const device of links) {
        if (link === 'all' || link.replaceAll('/', '.') === device.name) this.#netns.ipv6Switched(device)
      }
    }
  }
}

function fresh(): Settings {
  return { ipv4: { ...IPV4 }, ipv6: { ...IPV6 }, neigh4: { ...NEIGHBOR }, neigh6: { ...NEIGHBOR } }
}

/** `all` differs from `default` in what would otherwise apply twice. */
function freshAll(): Settings {
  const settings = fresh()
  settings.ipv6.accept_dad = 0
  return settings
}

function copy(settings: Settings): Settings {
  return {
    ipv4: { ...settings.ipv4 },
    ipv6: { ...settings.ipv6 },
    neigh4: { ...settings.neigh4 },
    neigh6: { ...settings.neigh6 },
  }
}

/** Dots everywhere, and slashes inside a link's name, also where the caller wrote a path of slashes. */
function canonical(name: string): string {
  const first = /[./]/.exec(name)?.[0]
  if (first !== '/') return name
  return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'))
}

function isKey<T extends object>(object: T, key: string): key is Extract<keyof T, string> {
  return Object.hasOwn(object, key)
}

function wholeNumber(text: string, operation: string): number {
  if (!/^\s*-?\d{1,10}\s*$/.test(text))
    throw invalid(operation, `${JSON.stringify(text)} is not a whole number`)
  return Number(text)
}

function invalid(operation: string, reason: string): KernelError {
  return new KernelError('EINVAL', operation, reason)
}
