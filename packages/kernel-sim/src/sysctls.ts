import { KernelError } from '@podfabric/kernel'
import type { Device } from './device.ts'
import {
  ALL_SETTINGS,
  DEFAULT_SETTINGS,
  type Ipv4Key,
  type Ipv6Key,
  type LinkSettings,
} from './link-settings.ts'
import type { NetworkNamespace } from './network-namespace.ts'

/** Everything that is not of one link. */
const GLOBAL = {
  'net.bridge.bridge-nf-call-ip6tables': '1',
  'net.bridge.bridge-nf-call-iptables': '1',
  'net.ipv4.icmp_echo_ignore_all': '0',
  'net.ipv4.icmp_echo_ignore_broadcasts': '1',
  'net.ipv4.icmp_ratelimit': '1000',
  'net.ipv4.ip_default_ttl': '64',
  'net.ipv4.ip_forward_use_pmtu': '0',
  'net.ipv4.ip_local_port_range': '32768\t60999',
  'net.ipv4.ip_nonlocal_bind': '0',
  'net.ipv4.ip_unprivileged_port_start': '1024',
  'net.ipv4.ping_group_range': '1\t0',
  'net.ipv6.bindv6only': '0',
  'net.ipv6.icmp.ratelimit': '1000',
  'net.ipv6.ip_nonlocal_bind': '0',
}

/** Linux checks the range of these. */
const LARGEST: ReadonlyMap<string, number> = new Map([
  ['net.ipv4.icmp_echo_ignore_all', 1],
  ['net.ipv4.icmp_echo_ignore_broadcasts', 1],
  ['net.ipv4.ip_nonlocal_bind', 255],
])

/** RFC 8200 section 5. */
const IPV6_LEAST_MTU = 1280

type GlobalKey = keyof typeof GLOBAL

/** The sysctls of one namespace. Names that are not here are ENOENT. */
export class Sysctls {
  readonly #netns: NetworkNamespace
  #all: LinkSettings = ALL_SETTINGS
  #default: LinkSettings = DEFAULT_SETTINGS
  #global: Readonly<Record<GlobalKey, string>> = GLOBAL
  /** [first, last] of the ports that are given to those who ask for none. */
  ports: readonly [number, number] = [32_768, 60_999]
  ttl = 64

  constructor(netns: NetworkNamespace) {
    this.#netns = netns
  }

  /** A link came into this namespace: it has the defaults of now. */
  adopt(device: Device): void {
    device.settings = this.#default
    device.forwarding4 = this.#default.ipv4.forwarding !== 0
  }

  /** Routing IPv6 is a matter of the whole namespace. */
  get forwarding6(): boolean {
    return this.#all.ipv6.forwarding !== 0
  }

  /** Set for the link or for all. */
  either4(device: Device, key: Ipv4Key): boolean {
    return this.#all.ipv4[key] !== 0 || device.settings.ipv4[key] !== 0
  }

  larger4(device: Device, key: Ipv4Key): number {
    return Math.max(this.#all.ipv4[key], device.settings.ipv4[key])
  }

  ipv6(device: Device, key: Ipv6Key): number {
    return device.settings.ipv6[key]
  }

  allIpv6(key: Ipv6Key): number {
    return this.#all.ipv6[key]
  }

  /** Hundredths of a second. */
  proxyDelay(device: Device, family: 4 | 6): number {
    return neighborSettings(device, family).proxy_delay
  }

  /** Milliseconds until a neighbor that does not answer is asked again. */
  retransmit(device: Device, family: 4 | 6): number {
    return neighborSettings(device, family).retrans_time_ms
  }

  /** How often a neighbor is asked for: `unicast` only itself, else everybody on the link. */
  solicitations(device: Device, family: 4 | 6, unicast: boolean): number {
    const { mcast_solicit, ucast_solicit } = neighborSettings(device, family)
    return unicast ? ucast_solicit : mcast_solicit
  }

  flag(key: GlobalKey): boolean {
    return this.#global[key] !== '0'
  }

  get(name: string): string {
    const plain = canonical(name)
    if (plain === 'net.ipv4.ip_forward') return String(this.#all.ipv4.forwarding)
    if (isKey(this.#global, plain)) return this.#global[plain]
    const { settings, group, key } = this.#place(plain, `sysctl ${name}`)
    return String(settingOf(settings, group, key))
  }

  set(name: string, value: string): void {
    const operation = `sysctl -w ${name}=${value}`
    const plain = canonical(name)
    // Nothing written is nothing changed.
    if (value.trim() === '') return void this.get(name)
    if (plain === 'net.ipv4.ip_forward') return this.set('net.ipv4.conf.all.forwarding', value)
    if (isKey(this.#global, plain)) return this.#setGlobal(plain, value, operation)
    const place = this.#place(plain, operation)
    const number = wholeNumber(value, operation)
    if (settingOf(place.settings, place.group, place.key) === number) return
    this.#store(place.link, changed(place.settings, place.group, place.key, number))
    this.#effects(place, number)
  }

  #store(link: Device | 'all' | 'default', settings: LinkSettings): void {
    if (link === 'all') this.#all = settings
    else if (link === 'default') this.#default = settings
    else link.settings = settings
  }

  #setGlobal(key: GlobalKey, value: string, operation: string): void {
    const numbers = value
      .trim()
      .split(/\s+/)
      .map((word) => wholeNumber(word, operation))
    const wanted = GLOBAL[key].split('\t').length
    if (numbers.length !== wanted) throw invalid(operation, `${wanted} numbers are wanted`)
    const [first = 0, last = 0] = numbers
    const largest = LARGEST.get(key)
    if (largest !== undefined && !(first >= 0 && first <= largest)) {
      throw invalid(operation, `it is from 0 to ${largest}`)
    }
    if (key === 'net.ipv4.ip_local_port_range') {
      if (first < 1 || last > 65_535 || first > last) throw invalid(operation, 'ports are from 1 to 65535')
      this.ports = [first, last]
    }
    if (key === 'net.ipv4.ip_default_ttl') {
      if (first < 1 || first > 255) throw invalid(operation, 'a TTL is from 1 to 255')
      this.ttl = first
    }
    this.#global = { ...this.#global, [key]: numbers.join('\t') }
    if (key.startsWith('net.bridge.')) this.#netns.rulesChanged()
  }

  /** Where a per-link value is kept. ENOENT. */
  #place(name: string, operation: string): Place {
    const found = /^net\.(ipv4|ipv6)\.(conf|neigh)\.([^.]+)\.([^.]+)$/.exec(name)
    const [, family, kind, linkName = '', key = ''] = found ?? []
    const link = found === null ? undefined : this.#link(linkName)
    // A link that is too small for IPv6 has none of it (addrconf_ifdown).
    const small = family === 'ipv6' && typeof link === 'object' && link.mtu < IPV6_LEAST_MTU
    if (link !== undefined && !small && !(kind === 'neigh' && link === 'all')) {
      const settings = link === 'all' ? this.#all : link === 'default' ? this.#default : link.settings
      const conf = family === 'ipv4' ? 'ipv4' : 'ipv6'
      const group = kind === 'conf' ? conf : family === 'ipv4' ? 'neigh4' : 'neigh6'
      if (Object.hasOwn(settings[group], key)) return { link, settings, group, key }
    }
    throw new KernelError('ENOENT', operation, 'there is no such sysctl here')
  }

  #link(name: string): Device | 'all' | 'default' | undefined {
    return name === 'all' || name === 'default' ? name : this.#netns.find(name.replaceAll('/', '.'))
  }

  /** What a write does beyond the value itself. */
  #effects({ link, group, key }: Place, value: number): void {
    const links = this.#netns.links()
    const spread = link === 'all' && (key === 'forwarding' || key === 'disable_ipv6')
    if (spread) {
      this.#default = changed(this.#default, group, key, value)
      for (const device of links) device.settings = changed(device.settings, group, key, value)
    }
    if (key === 'forwarding') {
      for (const device of links) device.forwarding4 = device.settings.ipv4.forwarding !== 0
      if (group === 'ipv6' && link === 'all') this.#netns.forwarding6Switched()
    }
    if (key !== 'disable_ipv6' || link === 'default') return
    for (const device of link === 'all' ? links : [link]) this.#netns.ipv6Switched(device)
  }
}

function neighborSettings({ settings }: Device, family: 4 | 6): LinkSettings['neigh4'] {
  return family === 4 ? settings.neigh4 : settings.neigh6
}

interface Place {
  readonly link: Device | 'all' | 'default'
  readonly settings: LinkSettings
  readonly group: keyof LinkSettings
  readonly key: string
}

function settingOf(settings: LinkSettings, group: keyof LinkSettings, key: string): number {
  const values: Readonly<Record<string, number>> = settings[group]
  return values[key] ?? 0
}

/** Settings are shared between links until one of them gets another value. */
function changed(
  settings: LinkSettings,
  group: keyof LinkSettings,
  key: string,
  value: number,
): LinkSettings {
  return { ...settings, [group]: { ...settings[group], [key]: value } }
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
