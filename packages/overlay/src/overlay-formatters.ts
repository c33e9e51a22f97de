import { type Formatter, formatters } from '@podfabric/wire'
import type { Vxlan } from './vxlan.ts'

/** The formatters of `@podfabric/wire` and those of this package's tunnels, for `formatPacket`. */
export const overlayFormatters: ReadonlyMap<string, Formatter> = new Map<string, Formatter>([
  ...formatters,
  ['vxlan', ({ vni }: Vxlan) => `VXLAN, vni ${vni}`],
])
