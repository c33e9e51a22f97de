import type { Pod } from '@podfabric/kube'
import { type Ip, parseIp } from '@podfabric/netaddr'
import { DnsError } from '../dns-error.ts'
import { type Name, parseName } from '../message/name.ts'

/** How a host asks: what `/etc/resolv.conf` says, resolv.conf(5). */
export interface ResolvConf {
  /** Asked in this order; at most three. */
  readonly nameservers: readonly Ip[]
  /** Appended to names with fewer dots than `ndots`, in this order. */
  readonly search: readonly Name[]
  readonly ndots: number
  /** Milliseconds to wait for one answer. */
  readonly timeout: number
  /** How often the list of servers is gone through. */
  readonly attempts: number
}

const defaults = { ndots: 1, timeout: 5000, attempts: 2 } as const
/** What glibc takes; more is cut to it. */
const most = { nameservers: 3, ndots: 15, timeout: 30_000, attempts: 5 } as const

/** Reads resolv.conf(5): lines and options that it does not know are skipped, as every resolver does. `DNS_CONFIG` for an address or name that is none. */
export function parseResolvConf(text: string, file = 'resolv.conf'): ResolvConf {
  const nameservers: Ip[] = []
  let search: Name[] = []
  let options: Pick<ResolvConf, 'ndots' | 'timeout' | 'attempts'> = defaults
  for (const [index, line] of text.split('\n').entries()) {
    const [keyword = '', ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    try {
      if (keyword === 'nameserver') nameservers.push(parseIp(words[0] ?? ''))
      else if (keyword === 'search' || keyword === 'domain') search = words.map(parseName)
      else if (keyword === 'options') options = words.reduce(withOption, options)
    } catch (cause) {
      throw new DnsError(
        'DNS_CONFIG',
        `${file}:${index + 1}: ${cause instanceof Error ? cause.message : cause}`,
        { cause },
      )
    }
  }
  return { nameservers: nameservers.slice(0, most.nameservers), search, ...options }
}

function withOption<T extends Pick<ResolvConf, 'ndots' | 'timeout' | 'attempts'>>(
  options: T,
  word: string,
): T {
  const [name, text = ''] = word.split(':')
  const value = Number(text)
  if (!/^\d+$/.test(text)) return options
  if (name === 'ndots') return { ...options, ndots: Math.min(value, most.ndots) }
  if (name === 'timeout') return { ...options, timeout: Math.min(Math.max(value, 1) * 1000, most.timeout) }
  if (name === 'attempts') return { ...options, attempts: Math.min(Math.max(value, 1), most.attempts) }
  return options
}

export function formatResolvConf(conf: ResolvConf): string {
  const lines = conf.nameservers.map((address) => `nameserver ${address}`)
  if (conf.search.length > 0) lines.push(`search ${conf.search.join(' ')}`)
  const options = [`ndots:${conf.ndots}`]
  if (conf.timeout !== defaults.timeout) options.push(`timeout:${Math.ceil(conf.timeout / 1000)}`)
  if (conf.attempts !== defaults.attempts) options.push(`attempts:${conf.attempts}`)
  return `${[...lines, `options ${options.join(' ')}`].join('\n')}\n`
}

export interface PodDns {
  /** Addresses of the cluster's DNS service, or of its pods. */
  readonly nameservers: readonly Ip[]
  readonly zone: Name
  /** For `dnsPolicy: Default`, and for pods on their node's own network. */
  readonly node: ResolvConf
}

/** A pod's configuration by its `dnsPolicy` and `dnsConfig`, as the kubelet writes it. */
export function podResolvConf(pod: Pod, dns: PodDns): ResolvConf {
  const { dnsPolicy, dnsConfig, hostNetwork } = pod.spec
  const base = policyConf(dnsPolicy === 'ClusterFirst' && hostNetwork ? 'Default' : dnsPolicy, pod, dns)
  if (!dnsConfig) return base
  const words = dnsConfig.options.map(({ name, value }) => (value === undefined ? name : `${name}:${value}`))
  return words.reduce(withOption, {
    ...base,
    nameservers: [...new Set([...base.nameservers, ...dnsConfig.nameservers])].slice(0, most.nameservers),
    search: [...new Set([...base.search, ...dnsConfig.searches])],
  })
}

function policyConf(
  policy: Pod['spec']['dnsPolicy'],
  pod: Pod,
  { nameservers, zone, node }: PodDns,
): ResolvConf {
  if (policy === 'Default') return node
  if (policy === 'None') return { nameservers: [], search: [], ...defaults }
  const search = [`${pod.metadata.namespace}.svc.${zone}`, `svc.${zone}`, zone, ...node.search]
  return { ...defaults, nameservers: nameservers.slice(0, most.nameservers), search, ndots: 5 }
}
