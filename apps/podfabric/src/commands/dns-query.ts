import { formatRecord, parseType, rcodeName } from '@podfabric/dns'
import { exitCodes, Failure } from '../failure.ts'
import type { Lab } from '../lab/lab.ts'
import { anyPod, podLabel, podNamed } from '../lab/pod-name.ts'
import { type Format, type Output, structured } from '../output.ts'

export interface DnsQueryOptions {
  readonly from?: string | undefined
  readonly type: string
  readonly output: Format
}

/**
 * Looks a name up inside a pod, with its search list, by packets to its server. Shows every question that the name cost, then
 * the records. Exit code 1 when there are none.
 */
export async function dnsQuery(
  lab: Lab,
  name: string,
  options: DnsQueryOptions,
  output: Output,
): Promise<number> {
  const type = parseType(options.type)
  if (type === undefined)
    throw new Failure('usage', `--type ${options.type}: expected a record type such as A, AAAA, SRV or PTR`)
  const pod = options.from === undefined ? anyPod(lab) : podNamed(lab, options.from)
  const found = await pod.resolver().find(name, type).catch(failure)
  if ('error' in found) {
    output.note(`${podLabel(pod)}: ${found.error}`)
    return exitCodes.failed
  }
  if (options.output !== 'table') {
    output.line(
      structured({ from: podLabel(pod), attempts: found.attempts, records: found.records }, options.output),
    )
    return 0
  }
  for (const { name, rcode, answers } of found.attempts)
    output.note(`${podLabel(pod)} asked for ${name}: ${rcodeName(rcode)}, ${answers} records`)
  for (const record of found.records) output.line(formatRecord(record))
  return 0
}

function failure(error: unknown): { readonly error: string } {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (
    code === 'DNS_NO_NAME' ||
    code === 'DNS_NO_DATA' ||
    code === 'DNS_TIMEOUT' ||
    code === 'DNS_SERVER_FAILED'
  ) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
  throw error
}
