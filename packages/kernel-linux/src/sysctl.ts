import { readFileSync, writeFileSync } from 'node:fs'
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
    throw fromFileError(error, label)
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
    throw fromFileError(error, label)
  }
}

/** As sysctl(8) reads names: dots part them, and a slash stands for a dot within a part. */
function pathOf(name: string, label: Label): string {
  const parts = name.split('.').map((part) => part.replaceAll('/', '.'))
  const known =
    parts[0] === 'net' && parts.every((part) => /^[^\0]+$/.test(part) && part !== '.' && part !== '..')
  if (!known) throw new KernelError('ENOENT', labelText(label), `no such setting of a network: ${name}`)
  return `/proc/sys/${parts.join('/')}`
}
