export { type HostLocalConfig, parseHostLocalConfig } from './config.ts'
export { default, hostLocal } from './host-local.ts'
