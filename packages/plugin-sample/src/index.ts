export { default } from './sample.ts'
