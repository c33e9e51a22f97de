import type { AddResult } from './result.ts'

/**
 * A plugin's own result after the one it was given (SPEC 1.1.0: `prevResult` comes out with the plugin's own
 * modifications). Interfaces are appended, and the indices of the added addresses follow; its own `dns` wins.
 */
export function mergeResults(previous: AddResult | undefined, own: AddResult): AddResult {
  if (previous === undefined) return own
  const offset = previous.interfaces.length
  const dns = own.dns ?? previous.dns
  const extra = previous.extra || own.extra ? { ...previous.extra, ...own.extra } : undefined
  return {
    interfaces: [...previous.interfaces, ...own.interfaces],
    ips: [
      ...previous.ips,
      ...own.ips.map((each) =>
        each.interface === undefined ? each : { ...each, interface: each.interface + offset },
      ),
    ],
    routes: [...previous.routes, ...own.routes],
    ...(dns && { dns }),
    ...(extra && { extra }),
  }
}
