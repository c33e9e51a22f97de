import { CniError } from './error.ts'
import type { Json } from './json.ts'

/** Every released version of the specification, oldest first. */
export const cniVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const

export type CniVersion = (typeof cniVersions)[number]

/** The version of the internal model: requests and results are converted at the process edge only. */
export const newestCniVersion: CniVersion = '1.1.0'

/** Whether `version` is `least` or later. */
export function isAtLeast(version: CniVersion, least: CniVersion): boolean {
  return cniVersions.indexOf(version) >= cniVersions.indexOf(least)
}

export function isCniVersion(value: unknown): value is CniVersion {
  return (cniVersions as readonly unknown[]).includes(value)
}

/**
 * `cniVersion` of a configuration; missing or empty means 0.1.0, as the library of the specification has it.
 * Throws CNI_INCOMPATIBLE_VERSION when it is not one of `served`, CNI_DECODING_FAILURE when it is no text.
 */
export function parseCniVersion(
  value: Json | undefined,
  served: readonly CniVersion[] = cniVersions,
): CniVersion {
  const version = value === undefined || value === '' ? '0.1.0' : value
  if (typeof version !== 'string') {
    throw new CniError(
      'CNI_DECODING_FAILURE',
      `cniVersion ${JSON.stringify(version)}: expected a version as text`,
    )
  }
  if (isCniVersion(version) && served.includes(version)) return version
  throw new CniError(
    'CNI_INCOMPATIBLE_VERSION',
    `cniVersion ${JSON.stringify(version.slice(0, 80))} is not served`,
    {
      details: `served are ${served.join(', ')}`,
    },
  )
}
