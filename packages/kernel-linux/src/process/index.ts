export { type LockFile, type LockKind, lockFile } from './lock-file.ts'
