import { KernelError } from '@podfabric/kernel'
import type { RouteEntry } from './route-entry.ts'

/** What a socket call says where there is no route, or one that drops. */
export function routeError(route: RouteEntry | undefined, operation: string): KernelError {
  switch (route?.type) {
    case 'unreachable':
      // A rule that says so, and is no route of a table, has another errno on Linux.
      if (route.table === 0) return new KernelError('ENETUNREACH', operation, 'a rule says unreachable')
      return new KernelError('EHOSTUNREACH', operation, `the route ${route.text} says unreachable`)
    case 'prohibit':
      return new KernelError('EACCES', operation, `the route ${route.text} says prohibited`)
    case 'blackhole':
      return new KernelError('EINVAL', operation, `the route ${route.text} is a blackhole`)
    default:
      return new KernelError('ENETUNREACH', operation, 'no route leads there')
  }
}
