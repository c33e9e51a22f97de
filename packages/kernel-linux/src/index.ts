export { type Availability, linuxAvailable } from './availability.ts'
export {
  type FeatureAvailability,
  featuresIn,
  type LinuxFeature,
  linuxFeatureNames,
  type Tried,
  tryFeatures,
} from './features.ts'
export { type LinuxKernel, type LinuxOptions, linux } from './linux.ts'
