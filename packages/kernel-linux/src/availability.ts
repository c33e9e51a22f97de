import { readFileSync } from 'node:fs'
import { koffiSyscalls } from './koffi-syscalls.ts'

export type Availability =
  | { readonly available: true }
  | { readonly available: false; readonly reason: string }

/**
 * Whether this process can work on the kernel: Linux on a 64-bit little-endian processor, the native
 * library there, and the right to enter and make network namespaces. Tried, not guessed; changes nothing.
 */
export function linuxAvailable(): Availability {
  const refused = refusedPlatform(process.platform, process.arch)
  if (refused !== undefined) return no(refused)
  try {
    koffiSyscalls()
  } catch (error) {
    return no(
      `the native library koffi does not load on ${process.arch} with ${cLibrary()}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  const rights = effectiveCapabilities()
  const missing = needed.filter(([, bit]) => ((rights >> bit) & 1n) === 0n).map(([name]) => name)
  if (missing.length === 0) return { available: true }
  return no(`the process has no ${missing.join(', ')}; run it as root, or within \`unshare -Urnm\``)
}

/** Why no kernel of this platform can be worked on; undefined where one can. */
export function refusedPlatform(platform: string, arch: string): string | undefined {
  if (platform !== 'linux') return `this is ${platform}, not Linux`
  if (arch !== 'x64' && arch !== 'arm64') {
    return `processors of kind ${arch} are not supported; x64 and arm64 are`
  }
  return undefined
}

/** Node's report names glibc where it runs with it. */
function cLibrary(): string {
  const report: unknown = process.report.getReport()
  const header =
    typeof report === 'object' && report !== null && 'header' in report ? report.header : undefined
  const isGlibc = typeof header === 'object' && header !== null && 'glibcVersionRuntime' in header
  return isGlibc ? 'glibc' : 'musl, where it needs libstdc++ and libgcc (apk add libstdc++)'
}

const needed: readonly (readonly [string, bigint])[] = [
  ['CAP_NET_ADMIN', 12n],
  ['CAP_NET_RAW', 13n],
  ['CAP_SYS_ADMIN', 21n],
]

function no(reason: string): Availability {
  return { available: false, reason }
}

function effectiveCapabilities(): bigint {
  const line = readFileSync('/proc/thread-self/status', 'utf8').match(/^CapEff:\s*([0-9a-f]+)$/m)
  return BigInt(`0x${line?.[1] ?? '0'}`)
}
