export { fileStore } from './file-store.ts'
export type { FileStore, FileStoreLog, FileStoreOptions } from './file-store-options.ts'
export type { FileCheck, Recovery } from './open-file.ts'
