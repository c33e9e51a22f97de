export { type PluginCase, pluginContract } from './plugin-contract.ts'
export { type RecordedCall, type RecordingScript, recordingPlugin } from './recording-plugin.ts'
export {
  keptLog,
  type LoggedLine,
  type TestContext,
  type TestContextOptions,
  testContext,
} from './test-context.ts'
