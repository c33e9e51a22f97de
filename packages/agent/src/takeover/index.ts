export { type NodeFiles, nodeFiles } from './node-files.ts'
