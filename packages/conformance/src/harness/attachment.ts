import {
  type AddResult,
  CniError,
  isCniVersion,
  type JsonObject,
  newestCniVersion,
  parseResult,
} from '@podfabric/cni'
import { addressOf, type Ip } from '@podfabric/netaddr'
import { CaseFailure } from '../failure.ts'
import type { Exchange } from './exchange.ts'
import { oneDocument } from './expectations.ts'
import type { Pod } from './place.ts'

/** An interface of a pod, as ADD reported it. */
export interface Attachment {
  readonly pod: Pod
  readonly ifName: string
  /** The call that gave the result: of the list's last plugin. */
  readonly exchange: Exchange
  /** The result as it was printed. */
  readonly document: JsonObject
  readonly result: AddResult
}

export function attachmentOf(pod: Pod, ifName: string, exchange: Exchange, version: string): Attachment {
  const document = oneDocument(exchange)
  return { pod, ifName, exchange, document, result: readResult(document, version) }
}

/** The pod's own addresses: those of the interface, or, where none says which, all. None at all fails the case. */
export function addressesOf({ result, ifName, pod }: Attachment): readonly Ip[] {
  const own = result.interfaces.findIndex(({ name, sandbox }) => name === ifName && sandbox === pod.path)
  const addresses = result.ips
    .filter(({ interface: index }) => index === undefined || own === -1 || index === own)
    .map(({ address }) => addressOf(address))
  if (addresses.length > 0) return addresses
  throw new CaseFailure(`an address of ${ifName} in the result`, JSON.stringify(result.ips))
}

function readResult(document: JsonObject, version: string): AddResult {
  try {
    return parseResult(document, { version: isCniVersion(version) ? version : newestCniVersion }).result
  } catch (error) {
    if (!(error instanceof CniError)) throw error
    throw new CaseFailure('a result that can be read', error.message, { cause: error })
  }
}
