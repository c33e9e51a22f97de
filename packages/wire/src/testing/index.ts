export { type CodecExample, type CodecSamples, codecLaws, type Law } from './codec-laws.ts'
