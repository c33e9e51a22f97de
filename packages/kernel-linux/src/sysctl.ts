import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { KernelError } from '@podfabric/kernel'
import { fromFileError, type Label, labelText } from './errno.ts'
import { inNamespace } from './namespace-window.ts'
import type { Syscalls } from './syscall.ts'

/** The value without its newline. Only what lives in a network namespace, `net.…`, is there. */
export function readSysctl(sys: Syscalls, namespaceFd: number, name: string): string {
  const label = `sysctl -n ${name}`
  const path = pathOf(name, label)
  try {
    return inNamespace(sys, namespaceFd, () => readFileSync(path, 'utf8')).trimEnd()
  } catch (error) {
    throw sysctlError(error, sys, namespaceFd, name, label)
  }
}

export function writeSysctl(
  sys: Syscalls,
  namespaceFd: number,
  name: string,
  value: string,
  label: Label,
): void {
  const path = pathOf(name, label)
  try {
    inNamespace(sys, namespaceFd, () => writeFileSync(path, value, { flag: 'r+' }))
  } catch (error) {
    throw sysctlError(error, sys, namespaceFd, name, label)
  }
}

/** ENOENT says what the kernel lacks, where a whole folder of settings is not there. */
function sysctlError(
  error: unknown,
  sys: Syscalls,
  namespaceFd: number,
  name: string,
  label: Label,
): unknown {
  const found = fromFileError(error, label)
  if (!(found instanceof KernelError) || found.code !== 'ENOENT') return found
  const hasFolder = (path: string) => inNamespace(sys, namespaceFd, () => existsSync(`/proc/sys/${path}`))
  return new KernelError('ENOENT', labelText(label), missingSetting(name, hasFolder), { cause: error })
}

/** Why a setting is not there, from whether the folders above it are. */
export function missingSetting(name: string, hasFolder: (path: string) => boolean): string {
  const [, family = '', group, link] = name.split('.').map((part) => part.replaceAll('/', '.'))
  const owner = Object.hasOwn(owners, family) ? owners[family] : undefined
  if (owner !== undefined && !hasFolder(`net/${family}`)) return owner
  const perLink = (family === 'ipv4' || family === 'ipv6') && (group === 'conf' || group === 'neigh')
  if (perLink && link !== undefined && !hasFolder(`net/${family}/${group}/${link}`))
    return `no link is named ${link}`
  return 'this kernel has no such setting'
}

const owners: Readonly<Record<string, string>> = {
  bridge: 'the kernel module br_netfilter is not loaded (modprobe br_netfilter), or this kernel has none',
  netfilter: 'the kernel module nf_conntrack is not loaded (modprobe nf_conntrack), or this kernel has none',
  ipv6: 'this kernel has no IPv6, or was started with ipv6.disable=1',
}

/** As sysctl(8) reads names: dots part them, and a slash stands for a dot within a part. */
function pathOf(name: string, label: Label): string {
  const parts = name.split('.').map((part) => part.replaceAll('/', '.'))
  const known =
    parts[0] === 'net' && parts.every((part) => /^[^\0]+$/.test(part) && part !== '.' && part !== '..')
  if (!known) throw new KernelError('ENOENT', labelText(label), `no such setting of a network: ${name}`)
  return `/proc/sys/${parts.join('/')}`
}
