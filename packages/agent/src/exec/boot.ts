import { readFileSync } from 'node:fs'

/** Another text after each restart of this machine. */
export function bootOfMachine(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
