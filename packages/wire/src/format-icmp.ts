import { type IcmpHeader, icmpUnreachable } from './icmp.ts'
import { type Icmpv6Header, icmpv6Unreachable } from './icmpv6.ts'
import type { NdOption } from './nd-option.ts'

export function formatIcmp(header: IcmpHeader): string {
  switch (header.kind) {
    case 'echo-request':
    case 'echo-reply':
      return `ICMP echo ${header.kind.slice(5)}, id ${header.identifier}, seq ${header.sequence}`
    case 'unreachable':
      return `ICMP ${codeName(icmpUnreachable, header.code)} unreachable`
    case 'fragmentation-needed':
      return `ICMP unreachable - need to frag (mtu ${header.mtu})`
    case 'redirect':
      return `ICMP redirect to ${header.gateway}`
    case 'time-exceeded':
      return `ICMP time exceeded ${header.code === 0 ? 'in-transit' : 'in reassembly'}`
    case 'parameter-problem':
      return `ICMP parameter problem - octet ${header.pointer}`
    case 'other':
      return `ICMP type ${header.type}, code ${header.code}`
  }
}

export function formatIcmpv6(header: Icmpv6Header): string {
  switch (header.kind) {
    case 'echo-request':
    case 'echo-reply':
      return `ICMP6, echo ${header.kind.slice(5)}, id ${header.identifier}, seq ${header.sequence}`
    case 'unreachable':
      return `ICMP6, destination unreachable, ${codeName(icmpv6Unreachable, header.code)}`
    case 'packet-too-big':
      return `ICMP6, packet too big, mtu ${header.mtu}`
    case 'time-exceeded':
      return `ICMP6, time exceeded ${header.code === 0 ? 'in-transit' : 'in reassembly'}`
    case 'parameter-problem':
      return `ICMP6, parameter problem, code ${header.code}, octet ${header.pointer}`
    case 'router-solicitation':
      return `ICMP6, router solicitation${formatOptions(header.options)}`
    case 'router-advertisement':
      return `ICMP6, router advertisement, lifetime ${header.lifetime}s${formatOptions(header.options)}`
    case 'neighbor-solicitation':
      return `ICMP6, neighbor solicitation, who has ${header.target}${formatOptions(header.options)}`
    case 'neighbor-advertisement':
      return `ICMP6, neighbor advertisement, tgt is ${header.target}${formatOptions(header.options)}`
    case 'other':
      return `ICMP6, type ${header.type}, code ${header.code}`
  }
}

function formatOptions(options: readonly NdOption[]): string {
  return options.map((option) => `, ${formatOption(option)}`).join('')
}

function formatOption(option: NdOption): string {
  switch (option.kind) {
    case 'source-link-layer':
      return `source link-address ${option.mac}`
    case 'target-link-layer':
      return `destination link-address ${option.mac}`
    case 'prefix-information':
      return `prefix ${option.prefix}`
    case 'mtu':
      return `mtu ${option.mtu}`
    case 'other':
      return `option ${option.type}`
  }
}

function codeName(names: Readonly<Record<string, number>>, code: number): string {
  for (const [name, value] of Object.entries(names)) if (value === code) return name
  return `code ${code}`
}
