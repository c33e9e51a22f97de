export { linuxWorld } from './linux-world.ts'
