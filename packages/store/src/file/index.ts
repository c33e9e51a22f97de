export type { FileStore, FileStoreLog, FileStoreOptions } from './file-store.ts'
export { fileStore } from './file-store.ts'
export type { Recovery } from './open-file.ts'
