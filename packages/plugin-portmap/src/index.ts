export { type PortmapConfig, type PublishWish, parsePortmapConfig } from './config.ts'
export { default, portmap } from './portmap.ts'
