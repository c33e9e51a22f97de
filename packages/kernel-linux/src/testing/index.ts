export { linuxFeatures, linuxLab } from './lab.ts'
