import { dissectionToJson, type JsonValue, type NextProtocols, toHex } from '@podfabric/wire'
import type { Hop } from './hop.ts'
import type { Journey } from './journey.ts'
import { dissectHop } from './packet-facts.ts'

/** A hop as plain JSON: its fields, `bytes` as hex, and the dissected headers under `headers`. */
export function hopToJson(hop: Hop, protocols: NextProtocols): JsonValue {
  const { bytes, because, ...fields } = hop
  return {
    ...fields,
    because: { ...because },
    bytes: toHex(bytes),
    headers: dissectionToJson(dissectHop(hop, protocols)),
  }
}

export function journeyToJson(journey: Journey, protocols: NextProtocols): JsonValue {
  const { packet, cause, outcome, hops } = journey
  return { packet, cause: cause ?? null, outcome, hops: hops.map((hop) => hopToJson(hop, protocols)) }
}
