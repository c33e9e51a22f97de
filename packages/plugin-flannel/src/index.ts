export type { DaemonConfig, FlannelConfig, NetworkConfig } from './config.ts'
export { default, flannel, flannelOn } from './flannel.ts'
export type { NodeFiles } from './node-files.ts'
