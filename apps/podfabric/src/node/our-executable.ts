import { readFile } from 'node:fs/promises'
import { parseTrailer } from '@podfabric/agent/exec'
import { isMissing } from './is-missing.ts'

/** What stands at a plugin's path: one that `install` wrote, somebody else's, or nothing. */
export async function whoseExecutable(path: string): Promise<'ours' | 'foreign' | 'missing'> {
  let octets: Uint8Array
  try {
    octets = await readFile(path)
  } catch (error) {
    if (isMissing(error)) return 'missing'
    throw error
  }
  if (parseTrailer(octets) !== undefined) return 'ours'
  const start = new TextDecoder().decode(octets.subarray(0, 64))
  return start.startsWith('#!/bin/sh\nPODFABRIC_AGENT=') ? 'ours' : 'foreign'
}
