import { codeOf } from '@podfabric/cni'

/** Waits for it, and takes a failure with one of these codes for nothing; whether it was done. */
export async function unless(codes: readonly string[], work: Promise<void>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (codes.includes(codeOf(error) ?? '')) return false
    throw error
  }
}
