import { readFileSync } from 'node:fs'
import { fromHex } from '../src/dissection-json.ts'

/** The frames of a file in fixtures by name: lines of `name: hex`, `#` begins a comment. For tests. */
export function frames(file: string): ReadonlyMap<string, Uint8Array> {
  const lines = readFileSync(new URL(`./fixtures/${file}`, import.meta.url), 'utf8').split('\n')
  const found = new Map<string, Uint8Array>()
  for (const line of lines) {
    if (line === '' || line.startsWith('#')) continue
    const colon = line.indexOf(': ')
    found.set(line.slice(0, colon), fromHex(line.slice(colon + 2)))
  }
  return found
}
