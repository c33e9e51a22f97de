export { type Availability, linuxAvailable } from './availability.ts'
export { type LinuxKernel, type LinuxOptions, linux } from './linux.ts'
