export { agentExecutables, type ExecOf, type ExecutablesOptions, executables } from './executables.ts'
export { linuxWorld } from './linux-world.ts'
