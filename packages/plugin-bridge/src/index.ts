export { bridge, default } from './bridge.ts'
export { type BridgeConfig, parseBridgeConfig } from './config.ts'
