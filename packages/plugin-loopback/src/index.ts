export { default, loopback } from './loopback.ts'
