export { type HostLocalConfig, parseHostLocalConfig } from './config.ts'
export { default, hostLocal, hostLocalOn } from './host-local.ts'
export type { NodeFiles } from './node-files.ts'
export { defaultDataDir } from './takeover.ts'
