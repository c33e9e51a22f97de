import { codeOf } from '@podfabric/cni'

/** Waits for it; which of these codes it was refused with, undefined where it was done. Another failure is thrown. */
export async function refusal<const Code extends string>(
  codes: readonly Code[],
  work: Promise<void>,
): Promise<Code | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    const code = codes.find((each) => each === codeOf(error))
    if (code === undefined) throw error
    return code
  }
}
