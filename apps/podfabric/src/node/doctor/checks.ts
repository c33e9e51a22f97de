import { agentRunning } from './agent-running.ts'
import { bridgeAddress } from './bridge-address.ts'
import type { Check } from './check.ts'
import { checksumOffload } from './checksum-offload.ts'
import { forwardPolicy } from './forward-policy.ts'
import { forwarding } from './forwarding.ts'
import { kernelAccess } from './kernel-access.ts'
import { kernelFeatures } from './kernel-features.ts'
import { leftovers } from './leftovers.ts'
import { listContent } from './list-content.ts'
import { listOrder } from './list-order.ts'
import { mtu } from './mtu.ts'
import { networkNames } from './network-names.ts'
import { permissions } from './permissions.ts'
import { pluginFiles } from './plugin-files.ts'
import { runtimeFolders } from './runtime-folders.ts'
import { settings } from './settings.ts'
import { stateFile } from './state-file.ts'
import { subnetLease } from './subnet-lease.ts'

/** What `podfabric doctor` looks at, in the order in which an installation meets it. */
export const checks: readonly Check[] = [
  kernelAccess,
  kernelFeatures,
  listContent,
  listOrder,
  networkNames,
  runtimeFolders,
  pluginFiles,
  permissions,
  stateFile,
  agentRunning,
  subnetLease,
  forwarding,
  settings,
  forwardPolicy,
  bridgeAddress,
  mtu,
  checksumOffload,
  leftovers,
]
